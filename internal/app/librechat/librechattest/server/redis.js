'use strict';
// The part of a Redis client that the stand-in needs: RESP2 over one socket,
// commands in order, and pushed messages of a subscription.
const net = require('net');

class Redis {
  constructor(uri, onMessage) {
    this.url = new URL(uri);
    this.onMessage = onMessage;
    this.waiting = [];
    this.held = []; // commands of the time without a connection
    this.channels = new Set();
    this.buffer = Buffer.alloc(0);
    this.connect();
  }

  connect() {
    this.socket = net.connect(Number(this.url.port || 6379), this.url.hostname);
    this.socket.setNoDelay(true);
    this.socket.on('data', (b) => this.read(b));
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.lost());
    if (this.url.password) this.call('AUTH', decodeURIComponent(this.url.password)).catch(() => {});
    for (const c of this.channels) this.send(['SUBSCRIBE', c]);
    for (const { args, waiter } of this.held.splice(0)) this.queue(args, waiter);
  }

  queue(args, waiter) {
    this.waiting.push({ args, waiter });
    this.send(args);
  }

  // lost keeps what has no answer for the next connection, as LibreChat's client does.
  lost() {
    this.held.unshift(...this.waiting.splice(0).filter(({ args }) => args[0] !== 'AUTH'));
    this.buffer = Buffer.alloc(0);
    this.socket = null;
    setTimeout(() => this.connect(), 100).unref();
  }

  send(args) {
    const parts = args.map((a) => Buffer.from(String(a)));
    this.socket.write(Buffer.concat([Buffer.from(`*${parts.length}\r\n`),
      ...parts.flatMap((p) => [Buffer.from(`$${p.length}\r\n`), p, Buffer.from('\r\n')])]));
  }

  call(...args) {
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      if (this.socket) this.queue(args, waiter);
      else this.held.push({ args, waiter });
    });
  }

  subscribe(channel) {
    this.channels.add(channel);
    if (this.socket) this.send(['SUBSCRIBE', channel]);
  }

  unsubscribe(channel) {
    this.channels.delete(channel);
    if (this.socket) this.send(['UNSUBSCRIBE', channel]);
  }

  read(bytes) {
    this.buffer = Buffer.concat([this.buffer, bytes]);
    for (;;) {
      const got = parse(this.buffer, 0);
      if (!got) return;
      this.buffer = this.buffer.subarray(got.next);
      this.take(got.value);
    }
  }

  take(v) {
    if (this.onMessage && Array.isArray(v)) {
      if (v[0] === 'message') this.onMessage(v[1], v[2]);
      if (['message', 'subscribe', 'unsubscribe'].includes(v[0])) return;
    }
    const w = this.waiting.shift()?.waiter;
    if (!w) return;
    if (v instanceof Error) w.reject(v);
    else w.resolve(v);
  }
}

// parse reads one reply at a position, or returns null if it is not whole.
function parse(b, at) {
  const end = b.indexOf('\r\n', at);
  if (end < 0) return null;
  const text = b.toString('utf8', at + 1, end);
  const next = end + 2;
  switch (String.fromCharCode(b[at])) {
    case '+': return { value: text, next };
    case '-': return { value: new Error(text), next };
    case ':': return { value: Number(text), next };
    case '$': {
      const n = Number(text);
      if (n < 0) return { value: null, next };
      if (b.length < next + n + 2) return null;
      return { value: b.toString('utf8', next, next + n), next: next + n + 2 };
    }
    case '*': {
      const list = [];
      let pos = next;
      for (let i = 0; i < Number(text); i++) {
        const one = parse(b, pos);
        if (!one) return null;
        list.push(one.value);
        pos = one.next;
      }
      return { value: list, next: pos };
    }
  }
  throw new Error('Redis sent what is not RESP');
}

module.exports = { Redis };
