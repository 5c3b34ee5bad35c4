// Loaded by NODE_OPTIONS before LibreChat, whose files stay as they are. Up to v0.8.7
// streams are named by the conversation alone. Of an answer that has ended LibreChat
// deletes all, and a reader that starts an environment is late by seconds. Here it keeps
// it for five minutes, which is an option of its own, and a reader of one gets its last
// event at once.
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
  jobs.configure = function (services, ...rest) {
    return configure.call(this, { ...services, cleanupOnComplete: services.isRedis ? false : services.cleanupOnComplete }, ...rest);
  };
  // A conversation's next answer has the same name as its last one, of which nothing may be left.
  jobs.createJob = async function (id, ...rest) {
    if (this.isRedis) await this.getJobStore().deleteJob(id);
    return createJob.call(this, id, ...rest);
  };
  // What this process remembers of a job that has ended, such as its first events for
  // a reader who never came here, would be told to a reader of the next one.
  jobs.completeJob = function (id, ...rest) {
    const done = completeJob.call(this, id, ...rest);
    this.runtimeState.delete(id);
    return done;
  };
  jobs.abortJob = async function (id, ...rest) {
    const result = await abortJob.call(this, id, ...rest);
    if (this.isRedis && result.finalEvent) await this.getJobStore().updateJob(id, { finalEvent: JSON.stringify(result.finalEvent) });
    return result;
  };
  jobs.subscribe = async function (id, onChunk, onDone, ...rest) {
    const job = this.isRedis && (await this.getJobStore().getJob(id));
    if (!job || !ended(job)) return subscribe.call(this, id, onChunk, onDone, ...rest);
    setImmediate(() => onDone(job.finalEvent ? JSON.parse(job.finalEvent) : failure(id, job)));
    return { unsubscribe() {} };
  };
}

const ended = ({ status }) => ['complete', 'aborted', 'error'].includes(status);

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
