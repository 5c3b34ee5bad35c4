// Loaded by NODE_OPTIONS before LibreChat, whose files stay as they are. In the
// first releases that generate after the POST, a stream read in another process
// than the one that generates is lost where it ends before the reader comes:
// the job is deleted, or what is left of it never speaks. A reader that starts
// an environment is late by seconds. Here LibreChat keeps ended jobs for five
// minutes, which is an option of its own that no variable sets, and a reader of
// one gets its last event at once.
import http from 'node:http';
import Module from 'node:module';

const load = Module._load;
Module._load = function (request, ...rest) {
  const loaded = load.call(this, request, ...rest);
  if (request === '@librechat/api' && loaded.GenerationJobManager) {
    Module._load = load;
    keep(loaded.GenerationJobManager);
  }
  return loaded;
};

function keep(jobs) {
  const { configure, createJob, abortJob, subscribe } = jobs;
  jobs.configure = function (services) {
    return configure.call(this, { ...services, cleanupOnComplete: services.isRedis ? false : services.cleanupOnComplete });
  };
  // A conversation's next answer has the same name as its last one.
  jobs.createJob = async function (id, ...rest) {
    const job = await createJob.call(this, id, ...rest);
    if (this.isRedis) await this.getJobStore().updateJob(id, { finalEvent: '', error: '' });
    return job;
  };
  jobs.abortJob = async function (id) {
    const result = await abortJob.call(this, id);
    if (this.isRedis && result.finalEvent) await this.getJobStore().updateJob(id, { finalEvent: JSON.stringify(result.finalEvent) });
    return result;
  };
  jobs.subscribe = async function (id, onChunk, onDone, onError) {
    const job = this.isRedis && (await this.getJobStore().getJob(id));
    if (!job || job.status === 'running') return subscribe.call(this, id, onChunk, onDone, onError);
    setImmediate(() => (job.finalEvent ? onDone(JSON.parse(job.finalEvent)) : onError(job.error || 'The answer has ended.')));
    return { unsubscribe() {} };
  };
}

// The reader is never in the process that generates, so that what was sent
// before it came is in Redis only, and LibreChat sends that to those who resume.
const stream = /^\/api\/agents\/chat\/stream\/[^/?]+$/;
const { emit } = http.Server.prototype;
http.Server.prototype.emit = function (name, req, ...rest) {
  if (name === 'request' && req.method === 'GET' && stream.test(req.url)) req.url += '?resume=true';
  return emit.call(this, name, req, ...rest);
};
