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

class Store {
  redis = redis;
  jobs = {};
  chunks = {};
  async getJob(id) { return this.jobs[id] ?? null; }
  async getChunks(id) { return [...(this.chunks[id] ?? [])]; }
  async deleteJob() {}
  async updateJob() {}
}
const store = new Store();

class Approvals {
  async pause(id, action) { seen.paused = action; store.jobs[id].status = 'requires_action'; return true; }
  async resolve(id, action) { seen.resolved = action; store.jobs[id].status = 'running'; return true; }
}

class Manager {
  isRedis = true;
  approvals = new Approvals();
  async getJob() { return { abortController: new AbortController() }; }
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
    if (seen.refuses) return null;
    for (const event of seen.live) args[1](event);
    if (seen.last) setTimeout(args[1], 50, seen.last);
    return { unsubscribe() {} };
  }
  async getResumeState(id) { return { content: (await store.getChunks(id)).map((chunk) => chunk.data.n) }; }
  // What is sent between the snapshot and the subscription is in neither; some hold what comes until they are activated.
  async subscribeWithResume(id, ...rest) {
    const resumeState = await this.getResumeState(id);
    store.chunks[id].push(...seen.between);
    seen.subscribe = [id, ...rest];
    const live = () => { for (const event of seen.live) rest[0](event); };
    for (const event of seen.live) store.chunks[id].push(event);
    if (!seen.activates) live();
    return { subscription: { unsubscribe() {}, ...(seen.activates && { activate: live }) }, resumeState, pendingEvents: [] };
  }
}

module.exports = { seen, redis, store, GenerationJobManager: new Manager(), MCPManager: class { async initialize() {} } };
