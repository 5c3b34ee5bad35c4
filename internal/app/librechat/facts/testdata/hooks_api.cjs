'use strict';
// What the hooks find of @librechat/api.
const seen = { stops: [], live: [] };

const redis = {
  hashes: {}, values: {},
  hgetall: async (key) => redis.hashes[key] ?? {},
  get: async (key) => redis.values[key] ?? null,
  set: async (key, value) => { redis.values[key] = String(value); },
  del: async (key) => { delete redis.values[key]; },
  on() {}, off() {},
  multi() {
    const steps = [];
    const chain = { hset: (key, hash) => (steps.push(() => { redis.hashes[key] = hash; }), chain), expire: () => chain, sadd: () => chain, exec: async () => steps.forEach((s) => s()) };
    return chain;
  },
};

const store = {
  redis, jobs: {}, chunks: {},
  getJob: async (id) => store.jobs[id] ?? null,
  getChunks: async (id) => store.chunks[id] ?? [],
  deleteJob: async () => {}, updateJob: async () => {},
};

class Manager {
  isRedis = true;
  runtimeState = new Map();
  getJobStore() { return store; }
  configure(...args) { seen.configure = args; }
  async createJob(...args) {
    seen.create = args;
    return { name: 'the job', abortController: new AbortController() };
  }
  async abortJob(id, options) {
    seen.abort = { id, options: Object.keys(options ?? {}) };
    await options?.beforePublish?.({ text: 'a part' });
    return { finalEvent: { final: true }, more: 'of the result' };
  }
  completeJob(...args) { seen.complete = args; return 'done'; }
  async subscribe(...args) {
    seen.subscribe = args;
    for (const event of seen.live) args[1](event);
    return { unsubscribe() {} };
  }
}

module.exports = { seen, redis, store, GenerationJobManager: new Manager(), MCPManager: class { async initialize() {} } };
