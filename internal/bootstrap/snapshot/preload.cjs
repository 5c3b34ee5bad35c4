'use strict';
// Given to Node apps by Sluice's bootstrap where Lambda takes a snapshot of the environment (SnapStart). It tells the app of it by events
// of process, and after a restore makes this process's own what it has in common with all others that began with the same memory. See
// package snapshot. Where it cannot, it says so, and the snapshot is not taken.
(() => {
  const path = process.env.SLUICE_SNAPSHOT_SOCKET;
  if (path) attend(path);
})();

function attend(socketPath) {
  const fs = require('fs');
  const net = require('net');
  const crypto = require('crypto');
  const { isMainThread, getEnvironmentData, setEnvironmentData } = require('worker_threads');
  const { join, dirname } = require('path');
  const module_ = join(dirname(socketPath), 'poll.node');

  const link = net.connect(socketPath);
  link.on('error', () => {});
  link.unref();
  const say = (message) => link.write(`${JSON.stringify(message)}\n`);
  // tell says something at once, also of a thread that is blocked before it ever turns to the link.
  const tell = (message) => {
    try {
      fs.writeSync(link._handle.fd, `${JSON.stringify(message)}\n`);
      return true;
    } catch {
      return false;
    }
  };
  const who = { pid: process.pid, worker: !isMainThread };
  if (!tell(who)) say(who);

  const monotonic = () => Number(process.hrtime.bigint()) / 1e6; // which all threads have in common
  const randomBelow = (n) => crypto.randomBytes(6).readUIntBE(0, 6) % n;
  const sockets = watchSockets();
  const pools = watchPools();
  const timers = watchTimers();
  tellChildren();
  const shiftClock = ownClock();
  const catchUp = ownDate(Number(process.env.SLUICE_SNAPSHOT_BEHIND) || 0);
  const reseedMath = ownMath();
  const board = noticeBoard();
  watchWaits();

  let snapshotAt = 0; // by the monotonic clock and by the wall's
  let snapshotTime = 0;
  let environment; // that this thread has been renewed for

  const verbs = {
    async before() {
      if (environment) return {}; // a thread that was blocked until now
      poll(); // that it works is seen before there is a version
      const listeners = await call('sluice:before-snapshot', {});
      collectGarbage();
      snapshotAt = monotonic();
      snapshotTime = Date.now();
      return { listeners };
    },

    // hold comes when the app is at rest, right before the snapshot.
    async hold() {
      if (!environment) sockets.hold();
      return {};
    },

    async renew({ restored }) {
      if (isMainThread) board.post({ ...restored, snapshotAt, snapshotTime });
      renew(restored);
      return {};
    },

    async after({ restored, env }) {
      Object.assign(process.env, env);
      let accepted = false;
      const listeners = await call('sluice:after-restore', { changed: [], ...restored, accept: () => { accepted = true; } });
      return { listeners, accepted };
    },
  };

  function renew(restored) {
    if (environment === restored.environment) return;
    environment = restored.environment;
    poll();
    useUpCaches();
    reseedMath();
    pools.refill();
    renewLibraries();
    catchUp();
    const age = Math.max(restored.snapshotAge * 1000, Date.now() - snapshotTime);
    const missed = snapshotAt ? age - (monotonic() - snapshotAt) : 0;
    if (missed > 500) { // the monotonic clock stood still
      shiftClock(missed);
      timers.hasten(missed);
    }
    process.env.SLUICE_ENVIRONMENT_ID = restored.environment;
    sockets.renew();
  }

  // noticeBoard is memory that all threads of the process have in common: how often its main thread has posted, the length and the notice, in
  // JSON.
  function noticeBoard() {
    const key = 'sluice.snapshot';
    if (isMainThread && setEnvironmentData) setEnvironmentData(key, new SharedArrayBuffer(4096));
    const memory = getEnvironmentData && getEnvironmentData(key);
    if (!(memory instanceof SharedArrayBuffer)) return { post() {}, look() {} }; // an old Node
    const head = new Int32Array(memory, 0, 2);
    const text = new Uint8Array(memory, 8);
    let seen = Atomics.load(head, 0);
    return {
      post(notice) {
        const bytes = Buffer.from(JSON.stringify(notice));
        text.set(bytes);
        head[1] = bytes.length;
        Atomics.add(head, 0, 1);
      },
      // look returns the notice if there is a new one.
      look() {
        if (Atomics.load(head, 0) === seen) return undefined;
        seen = Atomics.load(head, 0);
        return JSON.parse(Buffer.from(text.slice(0, head[1])).toString());
      },
    };
  }

  // watchWaits renews a worker thread that is blocked by Atomics.wait while the environment is restored, as idle ones of pools are: it goes on
  // with its next work before it reads from the link.
  function watchWaits() {
    if (isMainThread) return;
    const { wait } = Atomics;
    Atomics.wait = { wait(...args) {
      const told = tell({ ...who, blocked: true });
      let result;
      try {
        result = wait.apply(this, args);
      } finally {
        if (told) tell(who);
      }
      const restored = board.look();
      if (restored) {
        if (!snapshotAt) ({ snapshotAt, snapshotTime } = restored);
        renew(restored);
      }
      return result;
    } }.wait;
  }

  // collectGarbage gives memory back that each restore would have to load: nearly half of LibreChat's. Code that was compiled for warming stays.
  function collectGarbage() {
    const v8 = require('v8');
    v8.setFlagsFromString('--no-flush-bytecode');
    v8.setFlagsFromString('--expose-gc');
    const gc = require('vm').runInNewContext('gc');
    gc();
    gc({ type: 'major', execution: 'sync', flavor: 'last-resort' }); // gives pages back; Node 20 takes it for a minor one
    v8.setFlagsFromString('--no-expose-gc');
    v8.setFlagsFromString('--flush-bytecode');
  }

  // tellChildren has processes that get an environment of their own load this script as well, as those do that inherit one: servers of MCP that
  // are children, for one, which would draw the same numbers in all environments.
  function tellChildren() {
    const { ChildProcess } = require('child_process');
    const { spawn } = ChildProcess.prototype;
    const script = /[ "\\]/.test(__filename) ? `"${__filename.replace(/["\\]/g, '\\$&')}"` : __filename; // as NODE_OPTIONS is read
    ChildProcess.prototype.spawn = function (options, ...rest) {
      const env = options && options.envPairs;
      if (Array.isArray(env) && !env.some((pair) => pair.startsWith('SLUICE_SNAPSHOT_SOCKET='))) {
        const at = env.findIndex((pair) => pair.startsWith('NODE_OPTIONS='));
        const own = at < 0 ? '' : ` ${env.splice(at, 1)[0].slice('NODE_OPTIONS='.length)}`;
        env.push(`NODE_OPTIONS=--require ${script}${own}`, `SLUICE_SNAPSHOT_SOCKET=${socketPath}`);
      }
      return spawn.call(this, options, ...rest);
    };
  }

  // call calls the listeners of an event, one after the other, and waits for each.
  async function call(name, event) {
    const listeners = process.rawListeners(name);
    for (const listener of listeners) await listener.call(process, event);
    return listeners.length;
  }

  async function obey(line) {
    const question = JSON.parse(line);
    try {
      say({ id: question.id, ...await verbs[question.verb](question) });
    } catch (error) {
      say({ id: question.id, error: `${question.verb}: ${String((error && error.stack) || error).slice(0, 2000)}` });
    }
  }

  let text = '';
  link.setEncoding('utf8');
  link.on('data', (data) => {
    text += data;
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n')) {
      const line = text.slice(0, i);
      text = text.slice(i + 1);
      obey(line);
    }
  });

  // --- random numbers

  // poll makes OpenSSL seed its primary generator from the kernel. All others, of this and other threads, follow when they are used next.
  function poll() {
    try {
      process.dlopen({ exports: {} }, module_);
    } catch (error) {
      throw new Error(`the random numbers of this Node could not be renewed in a restored environment: ${error.message}`);
    }
  }

  // useUpCaches draws more from Node's own caches than each of them holds: 128 of randomUUID, 1024 of randomInt.
  function useUpCaches() {
    for (let i = 0; i < 128; i++) crypto.randomUUID();
    if (crypto.randomUUIDv7) for (let i = 0; i < 128; i++) crypto.randomUUIDv7();
    for (let i = 0; i < 1024; i++) crypto.randomInt(2);
  }

  // ownMath replaces Math.random, whose state cannot be reached, by xoshiro128** from the restore on.
  function ownMath() {
    const native = Math.random;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let own = false;
    const next = () => {
      const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
      const t = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= t;
      d = rotate(d, 11);
      return result;
    };
    const rotate = (x, n) => (x << n) | (x >>> (32 - n));
    Math.random = { random() { return own ? ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992 : native(); } }.random;
    return () => {
      const seed = crypto.randomBytes(16);
      [a, b, c, d] = [0, 4, 8, 12].map((at) => seed.readInt32LE(at));
      own = true;
    };
  }

  // watchPools remembers the arrays that were filled with random bytes and are large enough to be a stock of many numbers. A key that
  // somebody holds is smaller, and is left alone.
  function watchPools() {
    const least = 128;
    const known = new Set(); // of WeakRefs
    const seen = new WeakSet();
    let watching = true;
    const note = (array) => {
      if (!watching || !ArrayBuffer.isView(array) || array.byteLength < least || seen.has(array)) return;
      seen.add(array);
      if (known.size >= 512) for (const ref of known) if (!ref.deref()) known.delete(ref);
      known.add(new WeakRef(array));
    };
    const fill = crypto.randomFillSync;
    for (const [owner, name] of [[crypto, 'randomFillSync'], [crypto, 'randomFill'], [Object.getPrototypeOf(crypto.webcrypto), 'getRandomValues']]) {
      const original = owner[name];
      if (typeof original !== 'function') continue;
      const replacement = function (...args) {
        const result = original.apply(this, args);
        note(args[0]);
        return result;
      };
      Object.defineProperty(replacement, 'name', { value: name });
      Object.defineProperty(replacement, 'length', { value: original.length });
      const { enumerable } = Object.getOwnPropertyDescriptor(owner, name);
      Object.defineProperty(owner, name, { value: replacement, writable: true, enumerable, configurable: true });
    }
    require('module').syncBuiltinESMExports();
    return {
      refill() {
        watching = false;
        for (const ref of known) {
          const array = ref.deref();
          if (array && array.byteLength > 0) fill(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
        }
        known.clear();
      },
    };
  }

  // renewLibraries mends those that hold what two clients must not have in common, in every copy that is loaded.
  //
  // MongoDB's driver: an ObjectId holds five random bytes of its process and a counter; and a server takes the write of a session that has its
  // number already for a repetition, and does not make it. MCP's: a server takes the clients of one session for one, whose requests have the
  // same numbers.
  function renewLibraries() {
    for (const [file, { exports }] of Object.entries(require('module')._cache)) {
      if (!exports) continue;
      if (/[\\/]bson[\\/](lib|dist)[\\/][^\\/]+\.c?js$/.test(file)) renewIds(exports.ObjectId);
      if (/[\\/]mongodb[\\/]lib[\\/](core[\\/])?sessions\.js$/.test(file)) renewSessions(exports.ServerSessionPool);
      if (/[\\/]sdk[\\/]dist[\\/]cjs[\\/]client[\\/]streamableHttp\.js$/.test(file)) renewTransports(exports.StreamableHTTPClientTransport);
    }
  }

  const renewed = Symbol('sluice');

  function renewIds(ObjectId) {
    if (!ObjectId || typeof ObjectId.generate !== 'function') return;
    const unique = crypto.randomBytes(5);
    if (ObjectId[renewed]) return void ObjectId[renewed].set(unique);
    const { generate } = ObjectId;
    ObjectId[renewed] = unique;
    if (Number.isInteger(ObjectId.index)) ObjectId.index = randomBelow(0x1000000);
    ObjectId.generate = function (...args) {
      const id = generate.apply(this, args);
      id.set(unique, 4);
      return id;
    };
  }

  function renewSessions(Pool) {
    if (!Pool || typeof Pool.prototype.acquire !== 'function') return;
    const { acquire } = Pool.prototype;
    const clean = new WeakSet();
    Pool.prototype.acquire = function () {
      if (!clean.has(this)) {
        clean.add(this);
        if (Array.isArray(this.sessions)) this.sessions = [];
        else while (this.sessions.length > 0) this.sessions.shift();
      }
      return acquire.call(this);
    };
  }

  // renewTransports closes a client's connection of before when it is used next, so that its owner makes another, with another session. An owner may
  // have bound send before the snapshot, as LibreChat v0.8.8 has; what send calls for the headers, it finds by its name each time.
  function renewTransports(Transport) {
    if (!Transport || typeof Transport.prototype.send !== 'function') return;
    const { start } = Transport.prototype;
    const fresh = new WeakSet();
    Transport.prototype.start = function (...args) {
      fresh.add(this);
      return start.apply(this, args);
    };
    for (const name of ['send', '_commonHeaders']) {
      const method = Transport.prototype[name];
      if (typeof method !== 'function') continue;
      Transport.prototype[name] = async function (...args) {
        if (fresh.has(this) || !this.sessionId) return method.apply(this, args);
        await this.close();
        throw new Error('the session was made before a snapshot, and other environments have it too');
      };
    }
  }

  // --- sockets

  // cut is the error of a connection that was being made. Who waits for such a one waits for it to be there or to fail, and would never hear
  // of a mere end.
  function cut() {
    return Object.assign(new Error('connect ECONNRESET: from before the snapshot'), { code: 'ECONNRESET', syscall: 'connect' });
  }

  // watchSockets knows the app's connections over TCP, whoever made them. Those to a path are to processes that were restored as well.
  //
  // A client whose connection is reset by the restore connects anew at once, which can be before this script is asked to do its part. So that
  // what is open then is from before, whoever connects between hold and renew waits for the end of renew.
  function watchSockets() {
    const open = new Set();
    let held; // what connects, after hold
    const { connect } = net.Socket.prototype;
    const note = (socket) => {
      if (open.has(socket)) return;
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    };
    net.Socket.prototype.connect = function (...args) {
      const options = Array.isArray(args[0]) ? args[0][0] : args[0];
      const path = options && typeof options === 'object' ? options.path : typeof options === 'string' && !Number.isFinite(Number(options));
      if (path || this === link) return connect.apply(this, args);
      if (held) {
        held.push(() => {
          if (this.destroyed) return;
          connect.apply(this, args);
          note(this);
        });
        this.connecting = true; // so that what is written waits
        return this;
      }
      const result = connect.apply(this, args);
      note(this);
      return result;
    };
    return {
      hold() { held ||= []; },
      renew() {
        for (const socket of [...open]) socket.destroy(socket.connecting || socket.secureConnecting ? cut() : null);
        for (const handle of process._getActiveHandles()) { // requests that were being answered, of which there should be none
          if (handle instanceof net.Socket && handle.server && handle.remoteAddress) handle.destroy();
        }
        const connects = held || [];
        held = undefined;
        for (const go of connects) go();
      },
    };
  }

  // --- time

  function ownClock() {
    const proto = Object.getPrototypeOf(performance);
    const owner = Object.prototype.hasOwnProperty.call(performance, 'now') ? performance : proto;
    const { now } = owner;
    let missed = 0;
    Object.defineProperty(owner, 'now', {
      ...Object.getOwnPropertyDescriptor(owner, 'now'),
      value: { now() { return now.call(this) + missed; } }.now,
    });
    return (ms) => { missed += ms; };
  }

  // ownDate has Date be behind until the returned function is called, for a rehearsal of a snapshot that is old.
  function ownDate(behind) {
    if (!behind) return () => {};
    const Real = Date;
    const real = Real.now;
    const now = () => real() - behind;
    Real.now = now;
    globalThis.Date = new Proxy(Real, {
      construct: (target, args, newTarget) => Reflect.construct(target, args.length ? args : [now()], newTarget),
      apply: () => new Real(now()).toString(),
    });
    Real.prototype.constructor = globalThis.Date;
    return () => { behind = 0; delete process.env.SLUICE_SNAPSHOT_BEHIND; };
  }

  // watchPromises makes pauses of a second and more, by timers/promises or promisify, of timers that are known.
  function watchPromises(set) {
    const promises = require('timers/promises');
    const pause = promises.setTimeout;
    promises.setTimeout = { setTimeout(delay, value, options) {
      const { signal, ref } = Object(options);
      if (!(delay >= 1000) || signal && !(signal instanceof AbortSignal && !signal.aborted)) return pause(delay, value, options);
      return new Promise((resolve) => {
        const stop = () => { clearTimeout(timer); resolve(pause(delay, value, options)); }; // which fails as it should
        const timer = set(() => {
          if (signal) signal.removeEventListener('abort', stop);
          resolve(value);
        }, delay);
        if (ref === false) timer.unref();
        if (signal) signal.addEventListener('abort', stop, { once: true });
      });
    } }.setTimeout;
  }

  // watchTimers knows the timers of a second and more.
  function watchTimers() {
    const known = new Set(); // of WeakRefs
    const note = (timer, delay) => {
      if (!(delay >= 1000) || !timer) return;
      if (known.size >= 512) for (const ref of known) if (ended(ref.deref())) known.delete(ref);
      known.add(new WeakRef(timer));
    };
    const ended = (timer) => !timer || timer._destroyed;
    const module = require('timers');
    for (const name of ['setTimeout', 'setInterval']) {
      const original = module[name];
      const replacement = function (callback, delay, ...args) {
        const timer = original(callback, delay, ...args);
        note(timer, delay);
        return timer;
      };
      for (const key of Reflect.ownKeys(original)) if (key !== 'prototype') Object.defineProperty(replacement, key, Object.getOwnPropertyDescriptor(original, key));
      module[name] = replacement;
      globalThis[name] = replacement;
    }
    watchPromises(module.setTimeout);
    require('module').syncBuiltinESMExports();
    return {
      // hasten makes each timer due as much earlier, at once if that is past.
      hasten(ms) {
        const probe = setTimeout(() => {}, 1);
        const loopNow = probe._idleStart;
        clearTimeout(probe);
        for (const ref of known) {
          const timer = ref.deref();
          if (ended(timer) || !(timer._idleTimeout > 0) || typeof timer.refresh !== 'function') continue;
          const delay = timer._idleTimeout;
          timer._idleTimeout = Math.max(1, timer._idleStart + delay - loopNow - ms);
          timer.refresh();
          timer._idleTimeout = delay;
        }
      },
    };
  }
}
