'use strict';
// A program that stands for LibreChat around the hooks: jobs in a store that is the only
// thing that processes share, a route that reads a stream, and one that stops it. Time
// passes 20 times as fast. It prints what the scenes of TestHooks came to.
const http = require('node:http');
const { createHmac } = require('node:crypto');

const speed = 20;
const { setTimeout: later, setInterval: every } = globalThis;
const begun = Date.now();
const now = Date.now.bind(Date);
Date.now = () => begun + (now() - begun) * speed;
globalThis.setTimeout = (act, ms, ...rest) => later(act, ms / speed, ...rest);
globalThis.setInterval = (act, ms, ...rest) => every(act, ms / speed, ...rest);
const sleep = (ms) => new Promise((done) => later(done, ms / speed));

const { GenerationJobManager: jobs, store, redis, seen } = require('@librechat/api');

const server = http.createServer(async (req, res) => {
  let body = '';
  for await (const piece of req) body += piece;
  const { pathname, searchParams } = new URL(req.url, 'http://app');
  if (pathname === '/api/agents/chat/abort') {
    const [head, claims, signature] = (req.headers.authorization ?? '').slice('Bearer '.length).split('.');
    const right = signature === createHmac('sha256', process.env.JWT_SECRET).update(`${head}.${claims}`).digest('base64url');
    const { id, exp } = JSON.parse(Buffer.from(claims ?? '', 'base64url'));
    seen.stops.push({ id: JSON.parse(body).streamId, user: id, right: right && exp * 1000 > now(), agent: req.headers['user-agent'], at: Date.now() - seen.asked });
    if (seen.busy-- > 0) { res.statusCode = 409; return res.end('{}'); }
    store.jobs[JSON.parse(body).streamId].status = 'aborted';
    open.get(JSON.parse(body).streamId)?.end();
    return res.end('{}');
  }
  if (req.method === 'POST') {
    await jobs.createJob(JSON.parse(body).id, 'user-1', 'conversation', { more: true });
    return res.end('{}');
  }
  const id = pathname.split('/').at(-1);
  open.set(id, res);
  const write = (event) => res.write(`${JSON.stringify(event)}\n`);
  res.flushHeaders();
  if (searchParams.get('resume') !== 'true') return jobs.subscribe(id, write, write, write, { expectedCreatedAt: 7 });
  if (!store.chunks[id]) return;
  const { subscription, resumeState, pendingEvents } = await jobs.subscribeWithResume(id, write, write, write, { expectedCreatedAt: 7 });
  write({ sync: true, resumeState, pendingEvents });
  subscription.activate?.();
});
const open = new Map();

// read takes the events of a stream until it ends or the time is over.
const read = (path, limit) => new Promise((resolve) => {
  const lines = [];
  const finish = (how) => resolve({ how, lines: lines.join('').trim().split('\n').filter(Boolean).map((l) => JSON.parse(l)) });
  const req = http.get({ port: server.address().port, path, agent: false, headers: { 'user-agent': 'Mozilla/5.0 test' } }, (res) => {
    res.setEncoding('utf8').on('data', (text) => lines.push(text));
    res.on('end', () => finish('ended')).on('error', () => finish('broke off'));
  });
  req.on('error', () => finish('broke off'));
  later(() => { finish('open'); req.destroy(); }, limit / speed);
});

const post = (id, header) => new Promise((resolve) => {
  const req = http.request({ port: server.address().port, path: '/api/agents/chat/custom', method: 'POST', agent: false, headers: { 'user-agent': 'Mozilla/5.0 test', ...header } }, (res) => res.resume().on('end', resolve));
  req.end(JSON.stringify({ id }));
});

server.listen(0, '127.0.0.1', async () => {
  const out = {};
  // what is handed on
  const service = { isRedis: true, extra: 1 };
  jobs.configure(service, 'more');
  const job = await jobs.createJob('one', 'user-1', 'conversation', { options: 1 });
  const saved = [];
  const result = await jobs.abortJob('one', { expectedCreatedAt: 7, beforePublish: async (r) => saved.push(r.text) });
  await jobs.subscribe('one', 1, 2, 3, { signal: 4, expectedCreatedAt: 7 });
  const done = jobs.completeJob('one', 'an error', 7);
  out.passed = { configure: seen.configure, create: seen.create, job: job.name, abort: seen.abort, saved, result: result.more, subscribe: seen.subscribe.length, options: seen.subscribe[4], complete: seen.complete, done };

  // a reader that comes when three of six events were sent, one of which it hears twice
  const event = (n) => ({ event: 'on_message_delta', data: { n } });
  store.jobs.late = { status: 'running', userId: 'user-1', userMessage: { text: 'hello' } };
  store.chunks.late = [1, 2, 2, 4].map(event);
  seen.live = [event(2), event(4), { created: true, from: 'live' }, event(2), event(6), { final: true }];
  out.late = (await read('/api/agents/chat/stream/late?generationProtocolVersion=2', 40000)).lines;

  // a reader that gets the last event in the snapshot, and then hears it
  store.jobs.last = { status: 'running', userId: 'user-1', userMessage: { text: 'hello' } };
  store.chunks.last = [1, 2].map(event);
  [seen.live, seen.last] = [[], event(2)];
  out.last = (await read('/api/agents/chat/stream/last', 20000)).lines.slice(1);
  seen.last = null;

  // a reader in the process that generates, to whom LibreChat tells all
  store.jobs.own = { status: 'running', userId: 'user-1' };
  store.chunks.own = [1, 2].map(event);
  await jobs.createJob('own', 'user-1');
  seen.live = [event(1), event(2), event(2), event(3)];
  out.own = (await read('/api/agents/chat/stream/own', 20000)).lines;

  // readers that resume, of whom LibreChat holds back what comes or does not
  for (seen.activates of [false, true]) {
    const id = `resumed-${seen.activates}`;
    store.jobs[id] = { status: 'running', userId: 'user-1' };
    store.chunks[id] = [1, 2].map(event);
    seen.between = [event(3)];
    seen.live = [event(4), event(5)];
    (out.resumed ??= []).push((await read(`/api/agents/chat/stream/${id}?resume=true&generationCreatedAt=7`, 20000)).lines);
  }
  seen.live = [];

  // a generation whose process was killed, and one that lives
  Object.assign(store.jobs, { dead: { status: 'running', userId: 'user-2' }, alive: { status: 'running', userId: 'user-2' } });
  redis.values['stream:{dead}:life'] = '7';
  const beat = every(() => { redis.values['stream:{alive}:life'] = String(Date.now()); }, 5000 / speed);
  seen.asked = Date.now();
  const [dead, alive] = await Promise.all([read('/api/agents/chat/stream/dead?resume=true', 60000), read('/api/agents/chat/stream/alive', 60000)]);
  clearInterval(beat);
  out.dead = dead.how;
  out.alive = alive.how;
  out.stops = seen.stops.splice(0);

  // a job that has ended without a word to its reader
  store.jobs.missed = { status: 'complete', userId: 'user-2' };
  out.missed = (await read('/api/agents/chat/stream/missed?resume=true', 60000)).how;

  // a job that has ended, and whose answer is still being saved
  store.jobs.saving = { status: 'complete', userId: 'user-2', terminalPersistencePending: true };
  out.saving = (await read('/api/agents/chat/stream/saving', 25000)).how;

  // a job that another one has replaced before its reader came
  store.jobs.replaced = { status: 'running', userId: 'user-1', userMessage: { text: 'of the next one' } };
  store.chunks.replaced = [1, 2].map(event);
  seen.refuses = true;
  out.replaced = (await read('/api/agents/chat/stream/replaced', 10000)).lines;
  seen.refuses = false;

  // an answer that waits for its user's approval, and then goes on
  store.jobs.asks = { status: 'running', userId: 'user-1' };
  await post('asks', { 'lambda-runtime-deadline-ms': String(Date.now() + 30000) });
  await sleep(1000);
  const paused = await jobs.approvals.pause('asks', 'the action');
  const gone = redis.values['stream:{asks}:life'] === undefined;
  const waits = await read('/api/agents/chat/stream/asks?resume=true', 40000);
  const resumed = await jobs.approvals.resolve('asks', 'the decision');
  const reads = read('/api/agents/chat/stream/asks?resume=true', 40000);
  await sleep(10000);
  const again = redis.values['stream:{asks}:life'];
  out.asks = { paused, resumed, gone, handed: [seen.paused, seen.resolved], waits: waits.how, goesOn: (await reads).how, lives: Number(again) > 0 && redis.values['stream:{asks}:life'] !== again, stops: seen.stops.splice(0).length };

  // an answer that is in a change of its state when it is stopped
  store.jobs.changing = { status: 'running', userId: 'user-2' };
  redis.values['stream:{changing}:life'] = '7';
  seen.busy = 2;
  seen.abort = null;
  out.changing = { how: (await read('/api/agents/chat/stream/changing?resume=true', 60000)).how, stops: seen.stops.splice(0).length, aborted: !!seen.abort };

  // a generation that takes longer than its environment may live, in a Redis that forgets
  store.jobs.long = { status: 'running', userId: 'user-1' };
  redis.hashes['stream:{long}:job'] = { status: 'running', userId: 'user-1' };
  seen.asked = Date.now();
  await post('long', { 'lambda-runtime-deadline-ms': String(Date.now() + 60000) });
  await sleep(6000);
  const first = redis.values['stream:{long}:life'];
  redis.hashes = {};
  await sleep(10000);
  out.life = { first: Number(first) > 0, goesOn: redis.values['stream:{long}:life'] !== first, written: redis.hashes['stream:{long}:job'] };
  await sleep(50000);
  out.deadline = seen.stops.splice(0);

  process.stdout.write(JSON.stringify(out), () => process.exit(0));
});
