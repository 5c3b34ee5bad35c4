// Loaded by NODE_OPTIONS before LibreChat, whose files stay as they are.
import { AsyncLocalStorage } from 'node:async_hooks';
import Module from 'node:module';

const load = Module._load; // of Node, or of another hook
let hooked = false;
Module._load = function (request, ...rest) {
  const loaded = load.call(this, request, ...rest);
  if (!hooked && request === '@librechat/api' && loaded.MCPManager) {
    hooked = true;
    hasten(loaded.MCPManager);
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
