// Loaded by NODE_OPTIONS before LibreChat, whose files stay as they are.
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import Module from 'node:module';

const load = Module._load; // of Node, or of another hook
let hooked = false;
Module._load = function (request, ...rest) {
  if (hooked || request !== '@librechat/api') return load.call(this, request, ...rest);
  const { loaded, election } = withElection(() => load.call(this, request, ...rest));
  if (loaded.MCPManager && !hooked) {
    hooked = true;
    hasten(loaded.MCPManager);
    if (election) standAnew(election);
  }
  return loaded;
};

// Before it is ready LibreChat elects one process that prepares its MCP servers. Each
// waits up to 2 s before it stands for election, and 3 s between looks whether another
// has done the work: a start of 5 s takes 8. In its start these two waits are short;
// who does the work, and that all wait for its end, stays as it is.
function hasten(mcp) {
  if (!mcp.prototype?.initialize) return;
  const { initialize } = mcp.prototype;
  // What is called at its end is a promise's own: a limit of an MCP server's, which may be of 3 s too, has code to call.
  const pause = (act) => Function.prototype.toString.call(act).includes('[native code]');
  const waits = (act, ms) => pause(act) && (ms === 3000 || (ms < 2000 && !Number.isInteger(ms))); // Math.random() * 2000
  const starting = new AsyncLocalStorage();
  mcp.prototype.initialize = function (...config) {
    const { setTimeout } = globalThis;
    const quick = (act, ms, ...rest) => setTimeout(act, starting.getStore() && waits(act, ms) ? ms / 30 : ms, ...rest);
    Object.defineProperties(quick, Object.getOwnPropertyDescriptors(setTimeout)); // promisify's too
    globalThis.setTimeout = quick;
    return starting.run(true, () => initialize.apply(this, config)).finally(() => (globalThis.setTimeout = setTimeout));
  };
}

// withElection finds the election among what a module makes while it is loaded: it is no export, and what has an id by the name of UUID.
function withElection(act) {
  let election;
  Object.defineProperty(Object.prototype, 'UUID', {
    configurable: true,
    set(value) {
      Object.defineProperty(this, 'UUID', { value, configurable: true, enumerable: true, writable: true });
      if (this.isLeader && this.resign) election ??= this;
    },
  });
  try {
    return { loaded: act(), election };
  } finally {
    delete Object.prototype.UUID;
  }
}

// Environments that are restored from one snapshot would stand for election by one id, and each would take itself for the leader that another
// is. Nobody leads in the snapshot, and each has an id of its own.
function standAnew(election) {
  process.on('sluice:before-snapshot', () => election.resign());
  process.on('sluice:after-restore', () => { election.UUID = randomUUID(); });
}
