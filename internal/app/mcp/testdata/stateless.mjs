// A stateless MCP server on the official TypeScript SDK, as docs/apps.md advises: no session ids, a server and a
// transport for each request, 405 to GET and DELETE. With EVENTS, a directory that all environments share, a client
// that lost a call's answer resumes it from any of them; in production a table or a Redis stream is in its place.
import { appendFileSync, readFileSync } from "node:fs";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import express from "express";
import { z } from "zod";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const file = (stream) => `${process.env.EVENTS}/${stream.replace(/[^\w-]/g, "")}`;
const eventStore = process.env.EVENTS && {
  // storeEvent numbers a message within its stream.
  async storeEvent(stream, message) {
    appendFileSync(file(stream), JSON.stringify(message) + "\n");
    return `${stream}:${stored(stream).length}`;
  },
  replayEventsAfter: () => Promise.reject(new Error("replayed by the GET route")),
};
const stored = (stream) => readFileSync(file(stream), "utf8").split("\n").slice(0, -1);

function newServer() {
  const server = new McpServer({ name: "stateless", version: "1.0.0" });
  const readOnly = { readOnlyHint: true, openWorldHint: false };
  server.registerTool("echo", { description: "Repeats a message", inputSchema: { message: z.string() }, annotations: readOnly },
    async ({ message }) => ({ content: [{ type: "text", text: message }] }));
  server.registerTool("long", { description: "Takes its time", inputSchema: { duration: z.number(), steps: z.number() }, annotations: readOnly },
    async ({ duration, steps }, { _meta, sendNotification }) => {
      for (let progress = 1; progress <= steps; progress++) {
        await pause((duration * 1000) / steps);
        const progressToken = _meta?.progressToken;
        if (progressToken !== undefined) await sendNotification({ method: "notifications/progress", params: { progressToken, progress, total: steps } });
      }
      return { content: [{ type: "text", text: "done" }] };
    });
  return server;
}

const app = express();
app.use(express.json());

app.post("/mcp", async (request, response) => {
  const server = newServer();
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, eventStore });
  response.on("finish", () => server.close()); // not on close: a call goes on without its reader, who may resume it
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
});

// A stream that broke off goes on after its Last-Event-ID, up to the call's answer.
app.get("/mcp", async (request, response, next) => {
  const [, stream, seen] = /^(.+):(\d+)$/.exec(request.get("last-event-id") ?? "") ?? [];
  if (!eventStore || !stream) return next();
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" }).flushHeaders();
  for (let sent = Number(seen), ended = false; !ended && !response.closed; await pause(100)) {
    for (const message of stored(stream).slice(sent)) {
      response.write(`id: ${stream}:${++sent}\ndata: ${message}\n\n`);
      const { result, error } = JSON.parse(message);
      ended ||= Boolean(result || error);
    }
  }
  response.end();
});

app.all("/mcp", (_, response) => response.status(405).set("Allow", "POST")
  .json({ jsonrpc: "2.0", error: { code: -32000, message: "Method not allowed." }, id: null }));

app.listen(process.env.PORT, "127.0.0.1");
