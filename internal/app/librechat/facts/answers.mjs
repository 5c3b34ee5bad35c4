// Loaded by NODE_OPTIONS before LibreChat, whose files stay as they are. The process
// that generates an answer is never the one that reads it, and may be killed. Here a
// reader gets what was sent before it came, an answer ends before the time of its
// environment does, and one whose process was killed ends soon after it. All that is
// not known here passes through: arguments, options, results.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import Module from 'node:module';

const load = Module._load; // of Node, or of another hook
let hooked = false;
Module._load = function (request, ...rest) {
  const loaded = load.call(this, request, ...rest);
  if (!hooked && request === '@librechat/api' && loaded.GenerationJobManager) {
    hooked = true;
    catchUp(loaded.GenerationJobManager);
    lookAfter(loaded.GenerationJobManager);
  }
  return loaded;
};

const cares = new Map(); // of the answers that this process generates, what ends the care for each

// catchUp gives a reader what was sent before it came. What another process generates
// is in Redis only, and LibreChat sends it to readers that resume. A page without the
// first events shows nothing until the last.
function catchUp(jobs) {
  const { subscribe, subscribeWithResume } = jobs;
  jobs.subscribe = async function (id, onChunk, onDone, onError, ...rest) {
    const store = this.getJobStore();
    const [options] = rest;
    if (!this.isRedis || cares.has(id) || !asked.getStore()?.reads || options?.skipBufferReplay || !store.getChunks) {
      return subscribe.call(this, id, onChunk, onDone, onError, ...rest);
    }
    const live = held(onChunk, onDone, onError);
    const subscription = await subscribe.call(this, id, ...live.handlers, ...rest);
    if (!subscription) { // the answer has ended, or another one has taken its place
      live.release(live.waiting);
      return subscription;
    }
    const [job, chunks] = await Promise.all([store.getJob(id), store.getChunks(id, options?.expectedCreatedAt)]);
    await told();
    const created = live.waiting.find(isCreated)?.[1] ?? (job?.userMessage && { created: true, message: { ...job.userMessage, isCreatedByUser: true, sender: 'User' }, streamId: id });
    const waiting = after(chunks, live.waiting);
    if (created) onChunk(created);
    for (const chunk of chunks) onChunk(chunk);
    live.release(waiting, (event) => !created || !isCreated([null, event]));
    return subscription;
  };
  // Who resumes gets a snapshot, and then what comes. LibreChat takes the snapshot before
  // it listens, and what is sent between is in neither: here it is taken again.
  if (!subscribeWithResume) return;
  jobs.subscribeWithResume = async function (id, onChunk, onDone, onError, ...rest) {
    const store = this.getJobStore();
    const request = asked.getStore();
    if (!this.isRedis || cares.has(id) || !request || !store.getChunks) return subscribeWithResume.call(this, id, onChunk, onDone, onError, ...rest);
    const live = held(onChunk, onDone, onError);
    const result = await subscribeWithResume.call(this, id, ...live.handlers, ...rest);
    const { subscription } = result;
    noteChunks(store);
    request.chunks = undefined;
    const resumeState = subscription && result.resumeState && (await this.getResumeState(id, rest[0]?.expectedCreatedAt));
    const { chunks = [] } = request;
    await told();
    const release = () => live.release(after(chunks, live.waiting));
    const activate = subscription?.activate;
    if (activate) subscription.activate = function (...args) { activate.apply(this, args); release(); }; // once the snapshot is sent
    else setImmediate(release);
    return resumeState && request.chunks ? { ...result, resumeState } : result;
  };
}

// told waits for the messages of what a snapshot has already: a chunk is kept first, and
// then sent.
const told = () => new Promise((done) => setTimeout(done, 100));

const isCreated = ([, event]) => !!event?.created;

// held keeps what comes for some handlers until it is released.
function held(...to) {
  const waiting = [];
  let wants;
  const handlers = to.map((handler) => (event) => {
    if (!wants) waiting.push([handler, event]);
    else if (wants(event)) handler(event);
  });
  const release = (events, which = () => true) => {
    wants = which;
    for (const [handler, event] of events) if (wants(event)) handler(event);
  };
  return { waiting, handlers, release };
}

// after are the events that wait, less those that are the end of the chunks.
function after(chunks, waiting) {
  const text = ({ event, data }) => JSON.stringify({ event, data });
  const isChunk = ([, event]) => event?.event && event.data !== undefined;
  const sent = chunks.map(text);
  const live = waiting.filter(isChunk).map(([, event]) => text(event));
  let twice = Math.min(sent.length, live.length);
  while (twice > 0 && sent.slice(-twice).some((one, i) => one !== live[i])) twice--;
  return waiting.filter((one) => !isChunk(one) || twice-- <= 0);
}

// noteChunks has a request know the chunks of which its snapshot was made.
function noteChunks(store) {
  if (Object.hasOwn(store, 'getChunks')) return;
  const { getChunks } = store;
  store.getChunks = async function (...args) {
    const chunks = await getChunks.apply(this, args);
    const request = asked.getStore();
    if (request) request.chunks = chunks;
    return chunks;
  };
}

const ended = ({ status }) => ['complete', 'aborted', 'error'].includes(status);

// A generation says every 4 s that it lives. A reader that has not heard it for 14 s ends
// the answer, for its process was killed. Where Redis was restarted and has forgotten the
// job, the generation writes it again: a reader in another process finds it by nothing else.
const beat = 4000;
const silence = 14000;
const key = (id, part) => `stream:{${id}}:${part}`;

function lookAfter(jobs) {
  managed = jobs;
  const { createJob } = jobs;
  jobs.createJob = async function (id, userId, ...rest) {
    const job = await createJob.call(this, id, userId, ...rest);
    generates(this, id, userId, job.abortController.signal);
    return job;
  };
  // From v0.8.8 on an answer can wait for its user's approval. Nobody generates it then, and
  // the process that takes the user's decision goes on with it.
  const approvals = jobs.approvals && Object.getPrototypeOf(jobs.approvals);
  if (!approvals?.pause || !approvals.resolve) return;
  const { pause, resolve } = approvals;
  approvals.pause = async function (id, ...rest) {
    const paused = await pause.call(this, id, ...rest);
    if (paused) cares.get(id)?.abort();
    if (paused && jobs.isRedis) await jobs.getJobStore().redis.del(key(id, 'life')).catch(() => {});
    return paused;
  };
  approvals.resolve = async function (id, ...rest) {
    const resumed = await resolve.call(this, id, ...rest);
    if (resumed) await goesOn(jobs, id).catch(console.error);
    return resumed;
  };
}

async function goesOn(jobs, id) {
  const [job, kept] = await Promise.all([jobs.getJob(id), jobs.getJobStore().getJob(id)]);
  if (job && kept) generates(jobs, id, kept.userId, job.abortController.signal);
}

// generates looks after an answer until it is aborted, or waits for an approval.
function generates(jobs, id, userId, aborted) {
  const care = new AbortController();
  cares.get(id)?.abort();
  cares.set(id, care);
  aborted.addEventListener('abort', () => care.abort(), { once: true });
  care.signal.addEventListener('abort', () => cares.get(id) === care && cares.delete(id), { once: true });
  endInTime(jobs, id, userId, care.signal);
  if (jobs.isRedis) tellOfLife(jobs.getJobStore().redis, id, care.signal);
}

let managed; // LibreChat's jobs, once they are loaded

// endInTime stops an answer that takes longer than its environment may live: what there is
// of it is saved and shown, and nobody waits for more.
function endInTime(jobs, id, userId, signal) {
  const request = asked.getStore();
  const left = request?.deadline - Date.now();
  if (!(left > 0)) return;
  const timer = setTimeout(() => stop(jobs, id, userId, request), left - Math.min(5000, left / 4));
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
}

function tellOfLife(redis, id, signal) {
  let known;
  let count = 0;
  const remember = async () => {
    const job = await redis.hgetall(key(id, 'job'));
    if (signal.aborted || (job.status && job.status !== 'running')) return quiet();
    if (job.status) known = job;
    else if (known) await redis.multi().hset(key(id, 'job'), known).expire(key(id, 'job'), 1200).sadd('stream:running', id).exec();
    await redis.set(key(id, 'life'), ++count, 'EX', 600);
  };
  const tell = () => remember().catch(() => {});
  const timer = setInterval(tell, beat);
  const early = setTimeout(tell, 500); // the question is in the job by then
  const quiet = () => {
    clearInterval(timer);
    clearTimeout(early);
    redis.off('ready', tell);
    return redis.del(key(id, 'life'));
  };
  redis.on('ready', tell); // after a connection that was lost
  signal.addEventListener('abort', () => quiet().catch(() => {}), { once: true });
  tell();
}

// watch looks after the job of a response. Where the job has ended and the response has
// not, the reader has missed it: it comes again when the response breaks off, and is told.
// From v0.8.8 a job ends before its answer is saved, and its readers are told after that.
function watch(jobs, id, request, res) {
  let life;
  let heard = Date.now();
  let missed = 0;
  const look = async () => {
    const store = jobs.getJobStore();
    const [job, now] = await Promise.all([store.getJob(id), store.redis.get(key(id, 'life'))]);
    if (res.writableEnded || res.destroyed) return;
    if (job && ended(job)) return !job.terminalPersistencePending && ++missed > 1 && res.destroy();
    if (now !== life || now === null) heard = Date.now();
    life = now;
    if (job?.status !== 'running' || Date.now() - heard < silence) return;
    heard = Date.now();
    await stop(jobs, id, job.userId, request);
  };
  const deaf = () => (heard = Date.now()); // Redis is away: nobody is heard
  const timer = setInterval(() => jobs.isRedis && look().catch(deaf), beat);
  res.once('close', () => clearInterval(timer));
}

// stop does what the user's button does, by the same request: what it saves and publishes is
// LibreChat's matter. The token is made for it, for the one that the page gave may have expired.
async function stop(jobs, id, userId, { headers, host, port }) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ id: userId, exp: Math.floor(Date.now() / 1000) + 60 })}`;
  const signature = createHmac('sha256', process.env.JWT_SECRET).update(claims).digest('base64url');
  const body = JSON.stringify({ streamId: id });
  const ask = () => new Promise((resolve) => {
    const request = http.request({
      host, port, agent: false, method: 'POST', path: '/api/agents/chat/abort',
      headers: { authorization: `Bearer ${claims}.${signature}`, 'user-agent': headers['user-agent'], 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    }, (response) => response.resume().on('end', () => resolve(response.statusCode)));
    request.on('error', () => resolve(0)).end(body);
  });
  let status = await ask();
  for (let again = 0; status === 409 && again < 3; again++) { // the answer is in a change of its state
    await new Promise((done) => setTimeout(done, 1000));
    status = await ask();
  }
  if (status === 200) return;
  console.error(`[Sluice] the answer of ${id} was stopped with ${status}; its page is told of the end`);
  await jobs.abortJob(id).catch(console.error);
}

const asked = new AsyncLocalStorage();
const stream = /^\/api\/agents\/chat\/stream\/([^/?]+)(\?.*)?$/;
const { emit } = http.Server.prototype;
http.Server.prototype.emit = function (name, req, res, ...rest) {
  if (name !== 'request') return emit.call(this, name, req, res, ...rest);
  const { headers, method, url, socket } = req;
  const [, id, query] = (method === 'GET' && stream.exec(url)) || [];
  const reads = id && new URLSearchParams(query).get('resume') !== 'true';
  const request = { reads, headers, deadline: Number(headers['lambda-runtime-deadline-ms']), host: socket.localAddress, port: socket.localPort };
  if (id && managed) watch(managed, decodeURIComponent(id), request, res);
  return asked.run(request, () => emit.call(this, name, req, res, ...rest));
};
