// Reads streams through published clients for Node, and prints a JSON line for each:
//   node clients.mjs NAME=URL...
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import Anthropic from "@anthropic-ai/sdk";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { streamText } from "ai";
import OpenAI from "openai";

globalThis.AI_SDK_LOG_WARNINGS = false; // they would stand among the lines

const asked = { model: "m", messages: [{ role: "user", content: "hi" }] };
const openai = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "k", maxRetries: 0 });

const vercel = (modelAt) => async (url, add) => {
  let failed;
  const result = streamText({ model: modelAt(url), prompt: "hi", maxRetries: 0, onError: ({ error }) => { failed ??= error; } });
  for await (const part of result.textStream) add(part);
  if (failed) throw failed;
};

const mcp = (path) => async (url, add) => {
  const transport = new StreamableHTTPClientTransport(new URL(url + path), {
    reconnectionOptions: { initialReconnectionDelay: 100, maxReconnectionDelay: 100, reconnectionDelayGrowFactor: 1, maxRetries: 2 },
  });
  const client = new Client({ name: "sluice-test", version: "1.0.0" });
  client.onerror = () => {};
  await client.connect(transport);
  add((await client.callTool({ name: "long", arguments: {} }, undefined, { timeout: 15_000 })).content[0].text);
};

const clients = {
  "openai (Node), chat": async (url, add) => {
    for await (const chunk of await openai(url).chat.completions.create({ ...asked, stream: true })) add(chunk.choices[0]?.delta?.content ?? "");
  },
  "openai (Node), responses": async (url, add) => {
    for await (const event of await openai(url).responses.create({ model: "m", input: "hi", stream: true })) {
      if (event.type === "response.output_text.delta") add(event.delta);
    }
  },
  "anthropic (Node)": async (url, add) => {
    const client = new Anthropic({ baseURL: url, apiKey: "k", maxRetries: 0 });
    await client.messages.stream({ ...asked, max_tokens: 9 }).on("text", add).finalMessage();
  },
  "ai with openai-compatible (Node)": vercel((url) => createOpenAICompatible({ name: "x", baseURL: `${url}/v1`, apiKey: "k" })("m")),
  "ai with anthropic (Node)": vercel((url) => createAnthropic({ baseURL: `${url}/v1`, apiKey: "k" })("m")),
  "mcp (TypeScript)": mcp("/mcp"),
  "mcp (TypeScript), with ids": mcp("/ids/mcp"),
};

async function run(client, read, form, scene, url) {
  let got = "";
  let error = "";
  try {
    await read(`${url}/${scene}`, (text) => { got += text; });
  } catch (e) {
    error = `${e?.name ?? typeof e}: ${e?.message ?? JSON.stringify(e)}`;
  }
  console.log(JSON.stringify({ client, form, case: scene, got, error }));
}

const runs = [];
for (const argument of process.argv.slice(2)) {
  const [form, url] = argument.split("=", 2);
  for (const scene of ["silence", "deadline"]) {
    for (const [client, read] of Object.entries(clients)) runs.push(run(client, read, form, scene, url));
  }
}
await Promise.all(runs);
process.exit(0);
