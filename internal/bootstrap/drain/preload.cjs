'use strict';
// Given to Node apps by Sluice's bootstrap. It answers one question over a unix socket: is work of the app left that would be
// lost if the machine were frozen now? See package drain for what counts as work. It changes nothing that the app can see, and
// where anything here fails the app runs as if it were not there.
(() => {
  const socketPath = process.env.SLUICE_DRAIN_SOCKET;
  if (!socketPath) return;
  try {
    watch(socketPath, Number(process.env.SLUICE_DRAIN_TIMER) || 0, Number(process.env.SLUICE_DRAIN_START) || 0, Number(process.env.SLUICE_DRAIN_LONG) || 0);
  } catch {
    // The app comes first.
  }
})();

function watch(socketPath, timerLimit, startLimit, longTimer) {
  const fs = require('fs');
  const net = require('net');
  const channels = require('diagnostics_channel');
  const { isMainThread } = require('worker_threads');
  const later = setTimeout;
  const now = () => performance.now();

  // An epoch is the time between two answers of "idle". Only what began in this one counts.
  let epoch = 1;
  const state = Symbol('sluice');
  const requests = new Set();

  // Work that the app's start has begun and that goes on when it is ready counts in the first invocations, startLimit in all:
  // requests, connections in the making, child processes that have not answered, and timers, such as pauses before a retry. Of
  // the timers that one place in the code sets, the first few: more are a loop of the background.
  const starting = new Set();
  const startTimers = new Set();
  const startTimer = 5000; // ms
  const startRepeats = 3;
  const places = new Map();
  let startGoesOn = startLimit > 0;
  let startLeft = 0; // ms, of the time in which we were asked
  let startAsked = 0; // when we were
  let lost = ''; // what was not waited for any longer

  const sockets = new Set();
  const timers = new Set();

  const link = net.connect(socketPath);
  link.on('error', () => {});
  link.unref();
  // tell says something at once, also of a thread that is blocked before it ever turns to the link.
  const tell = (line) => {
    try {
      fs.writeSync(link._handle.fd, line);
      return true;
    } catch {
      return false;
    }
  };
  const hello = `hello ${process.pid} ${isMainThread ? 'main' : 'worker'}\n`;
  if (!tell(hello)) link.write(hello);
  if (!isMainThread) watchWaits();

  // watchWaits says when a worker thread is blocked by Atomics.wait, as idle ones of pools are: it has no work, and cannot say so.
  function watchWaits() {
    const { wait } = Atomics;
    Atomics.wait = { wait(...args) {
      const told = tell('blocked\n');
      try {
        return wait.apply(this, args);
      } finally {
        if (told) tell('unblocked\n');
      }
    } }.wait;
  }

  // --- outgoing requests, from their begin to the end of the answer's body

  const begin = (request) => { requests.add(request); };
  const end = (request) => { if (starting.delete(request) | requests.delete(request)) kick(); };
  const isEventStream = (type) => /^text\/event-stream/i.test(String(type || ''));

  on('http.client.request.start', ({ request }) => {
    begin(request);
    request.once('close', () => end(request));
  });
  on('http.client.response.finish', ({ request, response }) => {
    if (request.method === 'GET' && isEventStream(response.headers['content-type'])) end(request);
  });
  on('undici:request:create', ({ request }) => {
    if (!request.upgrade && request.method !== 'CONNECT') begin(request);
  });
  on('undici:request:headers', ({ request, response }) => {
    if (request.method === 'GET' && isEventStream(rawHeader(response.headers, 'content-type'))) end(request);
  });
  on('undici:request:trailers', ({ request }) => end(request));
  on('undici:request:error', ({ request }) => end(request));
  process.on('worker', (thread) => { // until its own copy of this script is connected
    begin(thread);
    thread.once('online', () => end(thread));
    thread.once('exit', () => end(thread));
  });
  on('http2.client.stream.start', ({ stream }) => {
    begin(stream);
    stream.once('close', () => end(stream));
  });

  function on(name, listener) {
    channels.subscribe ? channels.subscribe(name, guarded(listener)) : channels.channel(name).subscribe(guarded(listener));
  }

  function guarded(f) {
    return (...args) => { try { f(...args); } catch { /* as if it were not there */ } };
  }

  function rawHeader(list, name) {
    if (!Array.isArray(list)) return list && list[name];
    for (let i = 0; i + 1 < list.length; i += 2) {
      if (String(list[i]).toLowerCase() === name) return list[i + 1];
    }
    return undefined;
  }

  // --- sockets to databases and the like: one that was written to and has not answered is work

  const unused = () => ({ epoch, at: now(), read: 0, standing: false, spoken: false, piped: -Infinity, asked: 0, slow: 0 });
  const proto = net.Socket.prototype;
  const { connect, push, _write, _writev } = proto;
  proto.connect = function (...args) {
    if (!this[state]) {
      this[state] = unused();
      if (sockets.size > 512) prune();
      sockets.add(this);
    }
    this[state].redis = undefined;
    this[state].begun = false;
    return connect.apply(this, args);
  };
  proto.push = function (...args) {
    const s = this[state];
    if (s && s.redis && args[0]) hear(s, args[0]);
    if (s && s.asked) {
      const time = now();
      if (s.epoch === epoch) s.slow = Math.max(s.slow, time - s.asked);
      if (s.piped >= s.asked) s.piped = time; // these bytes answer what was asked before it
      s.asked = 0;
    }
    return push.apply(this, args);
  };
  proto._write = function (...args) {
    const s = this[state];
    if (s) {
      wrote(this, s);
      say(s, args[0], args[1]);
    }
    return _write.apply(this, args);
  };
  proto._writev = function (...args) {
    const s = this[state];
    if (s) {
      wrote(this, s);
      for (const { chunk, encoding } of args[0]) say(s, chunk, encoding);
    }
    return _writev.apply(this, args);
  };

  // --- Redis, where questions go out before the last one has its answer: commands and answers are counted
  // (https://redis.io/docs/latest/develop/reference/protocol-spec/). What is no array of RESP at first is another protocol.

  const say = guarded(said);
  const hear = guarded(heard);
  const star = 42;
  const longLine = 1 << 16;

  function said(s, chunk, encoding) {
    if (s.redis === null) return;
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding === 'buffer' ? 'utf8' : encoding) : chunk;
    if (bytes.length === 0) return;
    if (!s.redis) s.redis = s.begun || s.output || bytes[0] !== star ? null : { out: counter(), in: counter() };
    s.begun = true;
    if (s.redis && !count(s.redis.out, bytes)) s.redis = null;
  }

  function heard(s, bytes) {
    const { in: answers, out: commands } = s.redis;
    if (!count(answers, bytes)) s.redis = null;
    else answers.whole = Math.min(answers.whole, commands.whole); // beyond is what came unasked, as to a subscriber
  }

  const counter = () => ({ whole: 0, skip: 0, line: '', open: [] });

  // count takes bytes of RESP 2 or 3, in whatever pieces, and counts the values that are whole by then. It is false at a value that it does not
  // know, which ends the counting.
  function count(c, bytes) {
    const value = () => {
      while (c.open.length > 0 && --c.open[c.open.length - 1] === 0) c.open.pop();
      if (c.open.length > 0) return;
      if (!c.unasked) c.whole++;
      c.unasked = false;
    };
    for (let i = 0; i < bytes.length;) {
      if (c.skip > 0) {
        const n = Math.min(c.skip, bytes.length - i);
        i += n;
        c.skip -= n;
        if (c.skip === 0) value();
        continue;
      }
      const end = bytes.indexOf(10, i);
      c.line += bytes.latin1Slice(i, end < 0 ? bytes.length : end);
      if (c.line.length > longLine) return false;
      if (end < 0) break;
      i = end + 1;
      const kind = c.line[0];
      const n = parseInt(c.line.slice(1), 10);
      c.line = '';
      if (Number.isNaN(n) && '$=!*~>%'.includes(kind)) return false; // of a length that is not known at first
      if ('$=!'.includes(kind) && n >= 0) c.skip = n + 2;
      else if ('*~>%'.includes(kind) && n > 0) {
        if (kind === '>' && c.open.length === 0) c.unasked = true;
        c.open.push(kind === '%' ? 2 * n : n);
      } else if ('$=!*~>%+-:_#,('.includes(kind)) value();
      else return false;
    }
    return true;
  }

  const quickAnswer = 500; // ms
  // greeting is how long a connection to which nothing was written may wait for the other side's first words. Longer waits are
  // those of a spare one, such as undici makes when a request is aborted.
  const greeting = 250; // ms
  // pipeline is how long a question counts as unanswered that was asked before the last one had its answer, as Redis clients
  // do: the next bytes may answer the earlier one alone. It is twice the slowest answer of this epoch where that is more, up to slowPipeline.
  const pipeline = 50; // ms
  const slowPipeline = 500; // ms
  const patience = (s) => Math.min(Math.max(pipeline, 2 * s.slow), slowPipeline);

  // A child process is a peer too: what is written to its input waits for its output. Servers of MCP are such, and take
  // longer than databases.
  const childAnswer = 30000; // ms

  const { ChildProcess } = require('child_process');
  const { spawn } = ChildProcess.prototype;
  ChildProcess.prototype.spawn = function (...args) {
    const result = spawn.apply(this, args);
    guarded(adopt)(this);
    return result;
  };

  function adopt(child) {
    const { stdin, stdout } = child;
    if (!stdin || !stdout || stdin[state]) return;
    stdin[state] = { ...unused(), output: stdout };
    sockets.add(stdin);
    child.once('exit', () => { if (sockets.delete(stdin)) kick(); });
  }

  const received = (socket) => (socket[state].output || socket).bytesRead;

  function wrote(socket, s) {
    const read = received(socket);
    const time = now();
    if (s.standing && read > s.read && (s.output || time - s.at < quickAnswer)) s.standing = false;
    if (s.epoch !== epoch) s.asked = s.slow = 0;
    s.asked ||= time;
    if (s.spoken && (read === s.read || time - s.piped < patience(s))) s.piped = time;
    if (s.spoken && read > s.read && s.epoch === epoch) s.answered = epoch;
    s.epoch = epoch;
    s.read = read;
    s.at = time;
    s.spoken = true;
  }

  function waits(socket, s) {
    if (socket.connecting || socket.secureConnecting) return true;
    if (s.redis) return s.redis.in.whole < s.redis.out.whole;
    return received(socket) === s.read && (s.spoken || now() - s.at < greeting);
  }

  function prune() {
    for (const socket of sockets) if (socket.destroyed) sockets.delete(socket);
  }

  // --- short timers that a request has set: the pause before a retry, a save that waits for more

  if (timerLimit > 0) watchTimers();

  function watchTimers() {
    const { AsyncLocalStorage } = require('async_hooks');
    const { promisify } = require('util');
    const { Server } = require('http');
    const store = new AsyncLocalStorage();
    const { emit } = Server.prototype;
    Server.prototype.emit = function (event, ...args) {
      if (event !== 'request') return emit.call(this, event, ...args);
      return store.run(epoch, () => emit.call(this, event, ...args));
    };
    const counts = (delay) => !(delay > timerLimit) && store.getStore() === epoch;
    const note = (timer, delay, to = timers) => {
      if (to.size > 512) for (const t of to) if (!runs(t)) to.delete(t);
      to.add({ timer, due: now() + (Number(delay) || 0) });
    };
    const ofStart = (delay) => startGoesOn && !(delay > startTimer) && store.getStore() === undefined && repeats() <= startRepeats;

    const set = function setTimeout(callback, delay, ...args) {
      const watched = watchLate(callback, delay, () => timer);
      const timer = later(watched, delay, ...args);
      if (counts(delay)) note(timer, delay);
      else if (ofStart(delay)) note(timer, delay, startTimers);
      return timer;
    };
    const promises = require('timers/promises');
    const sleep = promises.setTimeout;
    promises.setTimeout = function setTimeout(delay, value, options) {
      if (options && options.ref === false) return sleep(delay, value, options);
      if (counts(delay)) note(null, delay);
      else if (ofStart(delay)) note(null, delay, startTimers);
      return sleep(delay, value, options);
    };
    Object.defineProperty(set, promisify.custom, { enumerable: true, get: () => promises.setTimeout });
    globalThis.setTimeout = set;
    require('timers').setTimeout = set;
    const every = setInterval;
    globalThis.setInterval = require('timers').setInterval = function setInterval(callback, delay, ...args) {
      return every(watchLate(callback, delay), delay, ...args);
    };

    // A long timer of the background that was due while the machine was frozen is told of once for each place that sets it.
    const told = new Set();
    function watchLate(callback, delay, timerOf) {
      if (!(longTimer > 0 && delay >= longTimer) || typeof callback !== 'function' || store.getStore() !== undefined) return callback;
      const place = outerFrame();
      let due = now() + delay;
      let begun;
      if (timerOf) queueMicrotask(() => { begun = timerOf()._idleStart; });
      return function (...args) {
        const late = now() - due;
        due = now() + delay;
        const refreshed = timerOf && timerOf()._idleStart !== begun;
        if (late > Math.max(500, longTimer / 12) && !refreshed && !told.has(place)) {
          told.add(place);
          link.write(`due ${Math.round(delay)} ${place}\n`);
        }
        return callback.apply(this, args);
      };
    }
    require('module').syncBuiltinESMExports();
  }

  // repeats counts the timers that were set in one place, by the frames above ours.
  function repeats() {
    const place = String(new Error().stack).split('\n').slice(4, 7).join();
    const n = (places.get(place) || 0) + 1;
    places.set(place, n);
    return n;
  }

  // outerFrame is the place in the app's code at which we were called.
  function outerFrame() {
    for (const line of String(new Error().stack).split('\n').slice(1)) {
      const place = line.replace(/^\s*at /, '');
      if (!place.includes(__filename) && !place.includes('node:')) return place;
    }
    return 'an unknown place';
  }

  function runs({ timer, due }) {
    if (now() > due + 50) return false;
    return !timer || (!timer._destroyed && timer.hasRef());
  }

  // --- is work left?

  // waitLimit is how long unanswered sockets and file requests alone may hold an invocation. What waits longer (a blocking
  // read of a queue, a log that is never answered) is standing, and no longer counted.
  const waitLimit = 5000; // ms
  // talkLimit is the same where a file request is among them, which stands on nobody, or a socket that has answered in this epoch: a
  // database that is slow for once, as while it fails over.
  const talkLimit = 30000; // ms
  // sleepLimit is how long timers alone may hold an invocation. What sleeps longer, and asks nobody in between, is a loop of the
  // background that a request happened to begin, such as MongoDB's driver looks after its pool with once it has connected anew.
  const sleepLimit = 10000; // ms
  let baseline = 0;
  let alone = 0;
  let slept = 0;

  function work() {
    const short = countRunning();
    const children = unanswered(true);
    if (requests.size > 0 || children.length > 0) slept = 0;
    else if (short > 0) slept ||= now();
    if (requests.size > 0 || children.length > 0 || (short > 0 && now() - slept < sleepLimit)) {
      alone = 0;
      settleLeft = settleLimit;
      return `requests=${requests.size} timers=${short} children=${children.length}`;
    }
    if (short > 0) lost = 'timers, each set by the one before';
    const begun = startWork();
    if (begun > 0) {
      alone = 0;
      return `start=${begun}`;
    }
    const waiting = unanswered(false);
    const files = systemRequests();
    if (waiting.length === 0 && files <= baseline) {
      alone = 0;
      return '';
    }
    alone = alone || now();
    const limit = files > baseline || waiting.some((s) => s.answered === epoch) ? talkLimit : waitLimit;
    if (now() - alone < limit) return `sockets=${waiting.length} files=${Math.max(0, files - baseline)}`;
    for (const s of waiting) s.standing = true;
    baseline = files;
    return '';
  }

  function countRunning() {
    let n = 0;
    for (const t of timers) runs(t) ? n++ : timers.delete(t);
    return n;
  }

  // unanswered are the child processes, or all others, that owe an answer.
  function unanswered(children) {
    const out = [];
    for (const socket of sockets) {
      const s = socket[state];
      if (socket.destroyed) sockets.delete(socket);
      else if (Boolean(s.output) !== children || s.standing || s.epoch !== epoch || !waits(socket, s)) continue;
      else if (children && now() - s.at >= childAnswer) s.standing = true;
      else out.push(s);
    }
    return out;
  }

  function started() {
    for (const request of requests) starting.add(request);
    for (const socket of sockets) {
      const s = socket[state];
      if (!socket.destroyed && (s.output || socket.connecting || socket.secureConnecting) && waits(socket, s)) starting.add(socket);
    }
    startLeft = startLimit;
  }

  function startWork() {
    for (const item of starting) if (item[state] && (item.destroyed || !waits(item, item[state]))) starting.delete(item);
    for (const t of startTimers) if (!runs(t)) startTimers.delete(t);
    const left = starting.size + startTimers.size;
    if (left === 0 || now() - startAsked < startLeft) return left;
    lost = `${left} requests, connections, child processes or timers of its start`;
    starting.clear();
    startTimers.clear();
    return 0;
  }

  const systemRequest = /^(FSReq|CloseReq|GetAddrInfoReq|GetNameInfoReq|QueryReq)/;

  function systemRequests() {
    if (!process.getActiveResourcesInfo) return 0;
    let n = 0;
    for (const name of process.getActiveResourcesInfo()) if (systemRequest.test(name)) n++;
    return n;
  }

  // --- the conversation with the bootstrap

  const restRounds = 3; // turns of the event loop without work
  const settle = 2; // ms without a byte on the sockets used: a long answer may still be arriving
  const settleLimit = 1000; // ms in which sockets that are never quiet may hold an invocation
  let asked = 0;
  let rounds = 0;
  let reported = 0;
  let poll = null;
  let turn = false;
  let moved = 0;
  let movedAt = 0;
  let settleLeft = 0; // anew with each request, timer or child process that counts; the background has none

  function kick() {
    if (!asked) return;
    clearTimeout(poll);
    poll = null;
    nextTurn();
  }

  function nextTurn() {
    if (turn) return;
    turn = true;
    setImmediate(step);
  }

  function step() {
    turn = false;
    if (!asked || poll) return;
    const why = work();
    if (why) return stay(why);
    rounds++;
    if (rounds < restRounds) return nextTurn();
    const wait = Math.min(unsettled(), settleLeft);
    if (wait > 0) {
      settleLeft -= wait;
      return again(wait);
    }
    const answer = asked;
    forget();
    endStart();
    link.write(`idle ${answer}${lost && ` ${lost}`}\n`);
    lost = '';
  }

  function stay(why) {
    rounds = 0;
    const time = now();
    if (time - reported > 250) {
      reported = time;
      link.write(`busy ${asked} ${why}\n`);
    }
    again(requests.size + starting.size > 0 ? 50 : 3); // the end of a request wakes us; nothing else does
  }

  function again(ms) {
    poll = later(() => { poll = null; step(); }, ms);
    poll.unref();
  }

  // unsettled returns how long to wait for sockets that were used in this epoch, in ms.
  function unsettled() {
    const time = now();
    let sum = 0;
    let until = 0;
    for (const socket of sockets) {
      const s = socket[state];
      if (s.epoch !== epoch || s.standing) continue;
      sum += received(socket) + socket.bytesWritten;
      if (!s.redis) until = Math.max(until, s.piped + patience(s));
    }
    if (sum === 0) return 0;
    if (sum !== moved) {
      moved = sum;
      movedAt = time;
    }
    return Math.max(movedAt + settle, until) - time;
  }

  function endStart() {
    startGoesOn = false;
    startTimers.clear();
    places.clear();
  }

  function forget() {
    if (asked) startLeft -= now() - startAsked;
    epoch++;
    asked = 0;
    moved = 0;
    alone = 0;
    slept = 0;
    requests.clear();
    timers.clear();
  }

  function command(line) {
    const [verb, n] = line.split(' ');
    if (verb === 'forget' || verb === 'started') {
      starting.clear();
      if (verb === 'started' && startGoesOn) started();
      else endStart();
      forget();
      link.write(`idle ${n}\n`);
    }
    if (verb === 'drain') {
      asked = Number(n);
      settleLeft = settleLimit;
      startAsked = now();
      rounds = 0;
      reported = 0;
      kick();
    }
  }

  let text = '';
  link.setEncoding('latin1');
  link.on('data', (data) => {
    text += data;
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n')) {
      const line = text.slice(0, i);
      text = text.slice(i + 1);
      command(line);
    }
  });
}
