// Uses an MCP server through the official TypeScript client, and prints a JSON line for each operation:
//   node client.mjs URL LONG-TOOL
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";

const [url, tool] = process.argv.slice(2);
const timeout = 60_000;
const streams = []; // statuses of GET

async function connect(sessionId) {
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    sessionId,
    fetch: async (to, init) => {
      const response = await fetch(to, init);
      if (init?.method === "GET") streams.push(response.status);
      return response;
    },
    reconnectionOptions: { initialReconnectionDelay: 200, maxReconnectionDelay: 1000, reconnectionDelayGrowFactor: 1.5, maxRetries: 1 },
  });
  const client = new Client({ name: "sluice-test", version: "1.0.0" });
  client.onerror = () => {}; // each operation reports its own
  await client.connect(transport);
  return { client, transport };
}

async function operation(name, run) {
  let line;
  try {
    line = { operation: name, ok: true, ...(await run()) };
  } catch (error) {
    line = { operation: name, ok: false, error: error.message };
  }
  console.log(JSON.stringify(line));
  return line.ok;
}

let client, transport;
const connected = await operation("initialize", async () => {
  ({ client, transport } = await connect());
  return { session: Boolean(transport.sessionId) };
});
if (!connected) process.exit(1);
await operation("stream", async () => {
  for (let waited = 0; streams.length === 0; waited += 50) {
    if (waited > timeout) throw new Error("GET was not answered");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { status: streams[0] };
});
await operation("list", async () => ({ tools: (await client.listTools(undefined, { timeout })).tools.length }));
await operation("call", async () => {
  const progress = [];
  const began = Date.now();
  const result = await client.callTool({ name: tool, arguments: { duration: 2, steps: 4 } }, undefined,
    { timeout, onprogress: () => progress.push(Date.now() - began) });
  return { text: result.content[0].text, progress, took: Date.now() - began };
});
await operation("ping", () => client.ping({ timeout }));
await operation("resume", async () => {
  const params = { name: tool, arguments: { duration: 2, steps: 4 } };
  const request = (of, options) => of.request({ method: "tools/call", params }, CallToolResultSchema, { timeout, ...options });
  const first = await connect();
  let token;
  const cut = new Promise((resolve, reject) => {
    request(first.client, { onresumptiontoken: (id) => (token = id), onprogress: () => resolve() }).then(() => {}, reject);
  });
  await cut;
  const { sessionId } = first.transport;
  await first.client.close(); // the connection is gone, the call goes on and ends
  await new Promise((resolve) => setTimeout(resolve, 2500));
  if (!token) throw new Error("the server gives its events no ids");
  const second = await connect(sessionId);
  const result = await request(second.client, { resumptionToken: token });
  await second.client.close();
  return { text: result.content[0].text };
});
await operation("delete", async () => {
  await transport.terminateSession();
});
process.exit(0);
