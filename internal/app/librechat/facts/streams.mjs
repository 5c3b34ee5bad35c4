// Loaded by NODE_OPTIONS before LibreChat, whose files stay as they are. In the
// first releases that generate after the POST, a stream read in another process
// than the one that generates is lost where it ends before the reader comes:
// the job is deleted, or what is left of it never speaks. A reader that starts
// an environment is late by seconds. Here LibreChat keeps ended jobs for five
// minutes, which is an option of its own that no variable sets, a reader of one
// gets its last event at once, and a reader of one that runs gets all its events.
import { AsyncLocalStorage } from 'node:async_hooks';
import http from 'node:http';
import Module from 'node:module';

const load = Module._load; // of Node, or of another hook
let hooked = false;
Module._load = function (request, ...rest) {
  const loaded = load.call(this, request, ...rest);
  if (!hooked && request === '@librechat/api' && loaded.GenerationJobManager) {
    hooked = true;
    keep(loaded.GenerationJobManager);
  }
  return loaded;
};

function keep(jobs) {
  const { configure, createJob, completeJob, abortJob, subscribe } = jobs;
  jobs.configure = function (services) {
    return configure.call(this, { ...services, cleanupOnComplete: services.isRedis ? false : services.cleanupOnComplete });
  };
  // A conversation's next answer has the same name as its last one, of which nothing may be left.
  jobs.createJob = async function (id, ...rest) {
    if (this.isRedis) await this.getJobStore().deleteJob(id);
    const job = await createJob.call(this, id, ...rest);
    endInTime(this, id, job.abortController.signal);
    if (this.isRedis) tellOfLife(this, id, job.abortController.signal);
    return job;
  };
  // What this process remembers of a job that has ended, such as its first events for
  // a reader who never came here, would be told to a reader of the next one.
  jobs.completeJob = function (id, ...rest) {
    const done = completeJob.call(this, id, ...rest);
    this.runtimeState.delete(id);
    return done;
  };
  jobs.abortJob = async function (id) {
    const result = await abortJob.call(this, id);
    if (this.isRedis && result.finalEvent) await this.getJobStore().updateJob(id, { finalEvent: JSON.stringify(result.finalEvent) });
    return result;
  };
  jobs.subscribe = async function (id, onChunk, onDone, onError) {
    const store = this.getJobStore();
    const job = this.isRedis && (await store.getJob(id));
    const last = (job) => onDone(job.finalEvent ? JSON.parse(job.finalEvent) : failure(id, job));
    if (!job) return subscribe.call(this, id, onChunk, onDone, onError);
    if (job.status === 'running' && !asked.getStore()?.reads) return watched(this, id, await subscribe.call(this, id, onChunk, onDone, onError), last);
    if (job.status !== 'running') {
      setImmediate(last, job);
      return { unsubscribe() {} };
    }
    // What comes meanwhile waits for what was sent before.
    let live = [];
    const queue = (to) => (value) => (live ? live.push([to, value]) : to(value));
    const subscription = await subscribe.call(this, id, queue(onChunk), queue(onDone), queue(onError));
    const now = (await store.getJob(id)) ?? job;
    const early = (await store.getChunks(id)).map((chunk) => JSON.stringify(chunk));
    const both = live.map(([, { event, data } = {}]) => JSON.stringify({ event, data }));
    const waiting = live;
    live = null;
    const twice = both.filter((text) => early.includes(text)).length;
    if (now.userMessage && !waiting.some(([, value]) => value?.created)) {
      onChunk({ created: true, message: { ...now.userMessage, isCreatedByUser: true, sender: 'User' }, streamId: id });
    }
    const before = waiting.findIndex(([, value]) => value?.created);
    if (before >= 0) waiting.splice(before, 1).forEach(([to, value]) => to(value));
    for (const text of early.slice(0, early.length - twice)) onChunk(JSON.parse(text));
    for (const [to, value] of waiting) to(value);
    if (now.status !== 'running' && !waiting.some(([to]) => to !== onChunk)) last(now);
    return watched(this, id, subscription, last);
  };
}

// An answer that takes longer than its environment may live is ended as if its reader
// had stopped it: what there is of it is saved and shown, and nobody waits for more.
function endInTime(jobs, id, ended) {
  const left = asked.getStore()?.deadline - Date.now();
  if (!(left > 0)) return;
  const timer = setTimeout(() => jobs.abortJob(id).catch(console.error), left - Math.min(5000, left / 4));
  ended.addEventListener('abort', () => clearTimeout(timer), { once: true });
}

// A generation tells every 5 s that it lives. Where it does not any more, for its process
// was killed, a reader ends it after half a minute, with what there is of the answer.
// Where Redis was restarted and has forgotten the job, the generation writes it again:
// a reader in another process finds it by nothing else.
const life = (id) => `stream:{${id}}:life`;

function tellOfLife(jobs, id, ended) {
  const store = jobs.getJobStore();
  let known;
  const remember = async () => {
    await store.redis.set(life(id), '1', 'EX', 25);
    const job = await store.getJob(id);
    if (job || !known || ended.aborted) return (known = job ?? known);
    await store.createJob(id, known.userId, known.conversationId);
    return store.updateJob(id, known);
  };
  const tell = () => remember().catch(() => {});
  const timer = setInterval(tell, 5000);
  const early = setTimeout(tell, 500); // the question is in the job by then
  store.redis.on('ready', tell); // after a connection that was lost
  const quiet = () => {
    clearInterval(timer);
    clearTimeout(early);
    store.redis.off('ready', tell);
  };
  ended.addEventListener('abort', quiet, { once: true });
  tell();
}

function watched(jobs, id, subscription, last) {
  if (!subscription) return subscription;
  const store = jobs.getJobStore();
  const look = async () => {
    const job = await store.getJob(id);
    if (job && job.status !== 'running') return last(job); // told before this reader was listening
    if (job && !(await store.redis.exists(life(id)))) await jobs.abortJob(id);
  };
  const timer = setInterval(() => look().catch(() => {}), 5000);
  const unsubscribe = () => {
    clearInterval(timer);
    subscription.unsubscribe();
  };
  return { ...subscription, unsubscribe };
}

// failure is the last event of a job that has none: a page that is told of an error
// event asks again and again.
function failure(id, { userMessage, responseMessageId, sender, error }) {
  const message = { conversationId: id, error: true, isCreatedByUser: false, sender: sender ?? 'AI', text: error || 'The answer has ended.' };
  return {
    final: true,
    conversation: { conversationId: id },
    requestMessage: userMessage ? { ...userMessage, isCreatedByUser: true, sender: 'User' } : null,
    responseMessage: { ...message, messageId: responseMessageId ?? `${userMessage?.messageId}_`, parentMessageId: userMessage?.messageId },
  };
}

// The reader is never in the process that generates: what was sent before it came
// is in Redis only, and LibreChat sends that to readers that resume.
const asked = new AsyncLocalStorage();
const stream = /^\/api\/agents\/chat\/stream\/[^/?]+$/;
const { emit } = http.Server.prototype;
http.Server.prototype.emit = function (name, req, ...rest) {
  if (name !== 'request') return emit.call(this, name, req, ...rest);
  const request = { reads: req.method === 'GET' && stream.test(req.url), deadline: Number(req.headers['lambda-runtime-deadline-ms']) };
  return asked.run(request, () => emit.call(this, name, req, ...rest));
};
