// Loaded by a test before LibreChat. It tells, at /api/clone, what an environment holds in its memory that no path of LibreChat's tells.
import http from 'node:http';
import Module from 'node:module';

let api;
let election;
const load = Module._load;
Module._load = function (request, ...rest) {
  if (request !== '@librechat/api' || api) return load.call(this, request, ...rest);
  // The election is no export. Whoever sets a UUID while the bundle is loaded is it; Sluice's own hook may look for it as well.
  const other = Object.getOwnPropertyDescriptor(Object.prototype, 'UUID');
  Object.defineProperty(Object.prototype, 'UUID', {
    configurable: true,
    set(value) {
      if (other) other.set.call(this, value);
      Object.defineProperty(this, 'UUID', { value, writable: true, enumerable: true, configurable: true });
      if (this.isLeader) election ??= this;
    },
  });
  const loaded = load.call(this, request, ...rest);
  delete Object.prototype.UUID;
  if (other) Object.defineProperty(Object.prototype, 'UUID', other);
  if (loaded.MCPManager) api = loaded;
  return loaded;
};

const verbs = {
  leader: async () => ({ uuid: election.UUID, leader: await election.isLeader(), timer: election.refreshTimer != null }),
  async tool(query) {
    const connection = await api.MCPManager.getInstance().getConnection({ serverName: query.get('server') });
    if (!(await connection.isConnected())) throw new Error('not connected');
    const { content } = await connection.client.callTool({ name: 'draw', arguments: {} });
    return JSON.parse(content[0].text);
  },
};

const { emit } = http.Server.prototype;
http.Server.prototype.emit = function (name, req, res, ...rest) {
  const [, verb, query] = (name === 'request' && /^\/api\/clone\/(\w+)\??(.*)$/.exec(req.url)) || [];
  if (!verb) return emit.call(this, name, req, res, ...rest);
  verbs[verb](new URLSearchParams(query)).then(
    (told) => res.end(JSON.stringify({ environment: process.env.SLUICE_ENVIRONMENT_ID, ...told })),
    (error) => { res.statusCode = 500; res.end(String(error.stack)); },
  );
  return true;
};
