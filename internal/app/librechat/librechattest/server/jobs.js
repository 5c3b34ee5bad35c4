'use strict';
// Streams of the design that generates after the POST. A job's events are a
// list in Redis and are published as they come, so that any process can read
// them from the begin or from where it joins.
const fs = require('fs');
const path = require('path');
const { Redis } = require('./redis');

const prefix = `${process.env.REDIS_KEY_PREFIX || ''}::stream`;
const key = (id, part) => `${prefix}:${id}:${part}`;
const readers = new Map(); // channel -> functions
const running = new Map(); // id -> AbortController, of this process
const lives = new Map(); // id -> timer that says that its generation lives

// Older releases keep what has ended by a hook, and those of today by a variable.
const today = fs.readFileSync(path.join(__dirname, 'index.js'), 'utf8').includes('STREAM_KEEP_COMPLETED_JOBS');
const keeps = !today || process.env.STREAM_KEEP_COMPLETED_JOBS === 'true';

let redis;
let subscriber;

function open() {
  redis = new Redis(process.env.REDIS_URI);
  subscriber = new Redis(process.env.REDIS_URI, (channel, text) => {
    for (const f of readers.get(channel) || []) f(JSON.parse(text));
  });
}

async function start(id, user) {
  await redis.call('DEL', key(id, 'events'));
  await redis.call('SET', key(id, 'job'), JSON.stringify({ user, status: 'running' }), 'EX', 3600);
  const control = new AbortController();
  const tell = () => redis.call('SET', key(id, 'life'), '1', 'EX', 5);
  await tell();
  lives.set(id, setInterval(tell, 1000));
  running.set(id, control);
  listen(key(id, 'abort'), () => control.abort());
  return control.signal;
}

// emit numbers events, so that a reader that joins sees each of them once.
function emitter(id) {
  let n = 0;
  return async (event) => {
    const text = JSON.stringify({ n: n++, event });
    await redis.call('RPUSH', key(id, 'events'), text);
    await redis.call('PUBLISH', key(id, 'live'), text);
  };
}

async function finish(id, user, status) {
  running.delete(id);
  clearInterval(lives.get(id));
  lives.delete(id);
  silence(key(id, 'abort'));
  if (!keeps) return redis.call('DEL', key(id, 'job'), key(id, 'events'));
  await redis.call('SET', key(id, 'job'), JSON.stringify({ user, status }), 'EX', 300);
  await redis.call('EXPIRE', key(id, 'events'), 300);
}

async function get(id) {
  const job = await redis.call('GET', key(id, 'job'));
  return job && JSON.parse(job);
}

// read calls on with each event, old ones first, until it returns false.
async function read(id, on) {
  let next = 0;
  const early = [];
  let live = false;
  const take = ({ n, event }) => {
    if (n < next) return;
    next = n + 1;
    if (on(event) === false) stop();
  };
  const f = (m) => (live ? take(m) : early.push(m));
  const watch = setInterval(() => bury(id), 1000);
  const stop = () => {
    clearInterval(watch);
    silence(key(id, 'live'), f);
  };
  listen(key(id, 'live'), f);
  for (const text of await redis.call('LRANGE', key(id, 'events'), 0, -1)) take(JSON.parse(text));
  live = true;
  early.forEach(take);
  return stop;
}

// bury ends a job whose process is gone, for all who read it.
async function bury(id) {
  if (await redis.call('GET', key(id, 'life'))) return;
  const job = await get(id);
  if (job?.status !== 'running') return;
  await finish(id, job.user, 'aborted');
  const events = await redis.call('LRANGE', key(id, 'events'), 0, -1);
  const text = events.map((e) => JSON.parse(e).event.data?.delta.content[0].text ?? '').join('');
  const last = JSON.stringify({ n: events.length, event: { final: true, conversation: { conversationId: id }, responseMessage: { text, unfinished: true } } });
  await redis.call('RPUSH', key(id, 'events'), last);
  await redis.call('PUBLISH', key(id, 'live'), last);
}

const abort = (id) => redis.call('PUBLISH', key(id, 'abort'), '{}');

function listen(channel, f) {
  if (!readers.has(channel)) {
    readers.set(channel, new Set());
    subscriber.subscribe(channel);
  }
  readers.get(channel).add(f);
}

function silence(channel, f) {
  const set = readers.get(channel);
  if (!set) return;
  set.delete(f);
  if (!f || set.size === 0) {
    readers.delete(channel);
    subscriber.unsubscribe(channel);
  }
}

module.exports = { open, start, emitter, finish, get, read, abort };
