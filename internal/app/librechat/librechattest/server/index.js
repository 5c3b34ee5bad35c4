'use strict';
// The stand-in's HTTP server. See package librechattest.
const fs = require('fs');
const http = require('http');
const path = require('path');
const { randomUUID } = require('crypto');
const store = require('./store');
const jobs = require('./jobs');
const { generate } = require('./chat');
const { Redis } = require('./redis');

const root = path.join(__dirname, '..', '..');
const afterPost = fs.readFileSync(path.join(root, 'api/server/routes/agents/index.js'), 'utf8').includes('/chat/stream/');

// As LibreChat does, it fails here where its logs cannot be written.
const logs = path.join(root, 'api', 'logs');
fs.mkdirSync(logs, { recursive: true });
fs.appendFileSync(path.join(logs, 'error.log'), '');

if (!process.env.JWT_SECRET) throw new Error('Please define the JWT_SECRET environment variable');
if (afterPost && !process.env.REDIS_URI) throw new Error('USE_REDIS is enabled but REDIS_URI is not set.');

const json = (res, status, body) => {
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) });
  res.end(text);
};

async function bytes(req) {
  const parts = [];
  for await (const p of req) parts.push(p);
  return Buffer.concat(parts);
}

async function body(req) {
  const read = await bytes(req);
  return read.length ? JSON.parse(read.toString()) : {};
}

const userOf = (req) => /^Bearer user-(.+)$/.exec(req.headers.authorization || '')?.[1];

const sse = (res) => {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' });
  res.flushHeaders();
  return (event, name = 'message') => res.write(`event: ${name}\ndata: ${JSON.stringify(event)}\n\n`);
};

// chatInPost streams the answer in the POST; a client that leaves aborts it.
async function chatInPost(req, res, user, b) {
  const send = sse(res);
  const control = new AbortController();
  res.on('close', () => control.abort());
  try {
    await generate({ user, conversationId: b.conversationId || randomUUID(), text: b.text, messageId: b.messageId || randomUUID(),
      signal: control.signal, emit: async (e) => { send(e); } });
  } catch (err) {
    send({ text: String(err.message), error: true }, 'error');
  }
  res.end();
}

// chatAfterPost answers at once and generates then, until the environment must end.
async function chatAfterPost(req, res, user, b) {
  const id = b.conversationId || randomUUID();
  const signal = await jobs.start(id, user);
  const left = Number(req.headers['lambda-runtime-deadline-ms']) - Date.now();
  const timer = left > 0 && setTimeout(() => jobs.abort(id), left - Math.min(5000, left / 4));
  const emit = jobs.emitter(id);
  json(res, 200, { streamId: id, conversationId: id, status: 'started' });
  try {
    await generate({ user, conversationId: id, text: b.text, messageId: b.messageId || randomUUID(), signal, emit });
    await jobs.finish(id, user, signal.aborted ? 'aborted' : 'complete');
  } catch (err) {
    await emit({ error: String(err.message) });
    await jobs.finish(id, user, 'error');
  } finally {
    clearTimeout(timer);
  }
}

async function stream(res, id, resume) {
  if (!await jobs.get(id)) return json(res, 404, { error: 'Stream not found' });
  const send = sse(res);
  if (resume) send({ sync: true, resumeState: { runSteps: [] } });
  const stop = await jobs.read(id, (event) => {
    if (event.error) send(event, 'error');
    else send(event);
    if (!event.final && !event.error) return true;
    res.end();
    return false;
  });
  res.on('close', stop);
}

const routes = [
  ['POST', /^\/api\/auth\/register$/, async (req, res) => {
    const b = await body(req);
    await store.put('users', b.email, { email: b.email, password: b.password, at: Date.now() });
    json(res, 200, { message: 'Please check your email to verify your email address.' });
  }, true],
  ['POST', /^\/api\/auth\/login$/, async (req, res) => {
    const b = await body(req);
    const user = await store.get('users', b.email || '');
    if (!user || user.password !== b.password) return json(res, 401, { message: 'Email or password is wrong.' });
    const expires = new Date(Date.now() + 7 * 864e5).toUTCString();
    res.setHeader('set-cookie', [`refreshToken=r-${b.email}; Path=/; Expires=${expires}; HttpOnly; SameSite=Strict`,
      `token_provider=librechat; Path=/; Expires=${expires}; HttpOnly; SameSite=Strict`]);
    json(res, 200, { token: `user-${encodeURIComponent(b.email)}`, user: { email: b.email } });
  }, true],
  ['GET', /^\/api\/config$/, async (req, res) => {
    res.setHeader('etag', '"config-1"');
    if (req.headers['if-none-match'] === '"config-1"') return res.writeHead(304).end();
    json(res, 200, { appTitle: 'fixture', emailLoginEnabled: true });
  }, true],
  ['GET', /^\/api\/user$/, async (req, res, { user }) => json(res, 200, { id: user, email: user })],
  ['GET', /^\/api\/convos$/, async (req, res, { user }) => json(res, 200, { conversations: await store.list('conversations', (c) => c.user === user) })],
  ['GET', /^\/api\/convos\/([^/]+)$/, async (req, res, { user, args }) => {
    const c = await store.get('conversations', args[0]);
    return c && c.user === user ? json(res, 200, c) : json(res, 404, { message: 'Conversation not found' });
  }],
  ['GET', /^\/api\/messages\/([^/]+)$/, async (req, res, { args }) => json(res, 200, await store.list('messages', (m) => m.conversationId === args[0]))],
  ['GET', /^\/api\/convos\/gen_title\/([^/]+)$/, async (req, res, { args }) => {
    const c = await store.get('conversations', args[0]);
    return c && c.title !== 'New Chat' ? json(res, 200, { title: c.title }) : json(res, 404, { message: 'Title not found' });
  }],
  ['GET', /^\/api\/agents\/chat\/stream\/([^/]+)$/, async (req, res, { args, url }) => stream(res, args[0], url.searchParams.get('resume') === 'true')],
  ['GET', /^\/api\/agents\/chat\/status\/([^/]+)$/, async (req, res, { args }) => {
    const job = await jobs.get(args[0]);
    json(res, 200, job ? { active: job.status === 'running', streamId: args[0], status: job.status } : { active: false });
  }],
  ['POST', /^\/api\/agents\/chat\/abort$/, async (req, res) => {
    const b = await body(req);
    await jobs.abort(b.streamId || b.conversationId);
    json(res, 200, { success: true, aborted: b.streamId || b.conversationId });
  }],
  ['POST', /^\/api\/files$/, async (req, res, { user }) => {
    const form = await new Response(await bytes(req), { headers: { 'content-type': req.headers['content-type'] } }).formData();
    const [id, file] = [randomUUID(), form.get('file')];
    await store.put('files', id, { user, data: Buffer.from(await file.arrayBuffer()).toString('base64') });
    json(res, 200, { message: 'Agent file uploaded and processed successfully', user, file_id: id, filepath: `/uploads/${user}/${id}__${file.name}` });
  }],
  ['GET', /^\/api\/files\/config$/, async (req, res) => json(res, 200, {})],
  ['GET', /^\/api\/files\/download\/([^/]+)\/([^/]+)$/, async (req, res, { user, args }) => {
    const file = await store.get('files', args[1]);
    if (file?.user !== user) return json(res, 404, { message: 'File not found' });
    res.writeHead(200, { 'content-type': 'application/octet-stream' }).end(Buffer.from(file.data, 'base64'));
  }],
  ['DELETE', /^\/api\/files$/, async (req, res) => {
    for (const { file_id: id } of (await body(req)).files) await store.remove('files', id);
    json(res, 200, { message: 'Files deleted successfully' });
  }],
  ['POST', /^\/api\/agents\/chat(?:\/[^/]+)?$/, async (req, res, { user }) => (afterPost ? chatAfterPost : chatInPost)(req, res, user, await body(req))],
];

async function handle(req, res) {
  const url = new URL(req.url, 'http://fixture');
  if (url.pathname === '/health') return res.writeHead(200, { 'content-type': 'text/plain', 'content-length': 2 }).end(req.method === 'HEAD' ? undefined : 'OK');
  for (const [method, pattern, serve, open] of routes) {
    const found = pattern.exec(url.pathname);
    if (!found || req.method !== method) continue;
    if (!open && !userOf(req)) return json(res, 401, { message: 'Unauthorized' });
    if (url.pathname.startsWith('/api/agents') && !/Mozilla\/5\.0/.test(req.headers['user-agent'] || '')) return json(res, 500, { message: 'Illegal request' });
    return serve(req, res, { user: userOf(req), args: found.slice(1).map(decodeURIComponent), url });
  }
  res.writeHead(200, { 'content-type': 'text/html', 'cache-control': 'no-store' });
  res.end(fs.readFileSync(path.join(root, 'client/dist/index.html')));
}

// seed makes what LibreChat's every start makes of its roles where there are none. Two that start at once fail.
async function seed() {
  if (!process.env.FIXTURE_ROLES) return;
  const redis = new Redis(process.env.REDIS_URI);
  if (await redis.call('GET', 'roles')) return;
  await new Promise((resolve) => { setTimeout(resolve, 500); });
  if (!await redis.call('SET', 'roles', 'admin', 'NX')) throw new Error('E11000 duplicate key error collection: LibreChat.accessroles');
}

if (afterPost) jobs.open();
const server = http.createServer((req, res) => handle(req, res).catch((err) => {
  console.error(err);
  if (!res.headersSent) json(res, 500, { message: 'An error occurred' });
  else res.end();
}));
seed().then(() => server.listen(Number(process.env.PORT || 3080), process.env.HOST || 'localhost', () => {
  console.log(`Server listening at http://${process.env.HOST || 'localhost'}:${process.env.PORT || 3080}`);
  // The stream manager starts after the server listens, as in LibreChat.
  if (afterPost) setTimeout(() => console.log('[GenerationJobManager] Configured with Redis stores'), 200);
}));
