// Reads streams as pages do, in a browser. read(url) returns what each client made of the stream there, within a time.
import { fetchEventSource } from "/modules/@microsoft/fetch-event-source/lib/esm/index.js";
import { SSE } from "/modules/sse.js/lib/sse.js";

const limit = 20_000; // ms

// each calls use(take, end) and resolves to what came: take gets the data of an event with pieces of text, end an error or nothing.
function each(use) {
  return new Promise((resolve) => {
    let got = "";
    let close;
    const end = (error = "") => { clearTimeout(timer); close?.(); resolve({ got, error: String(error) }); };
    const timer = setTimeout(() => end("still waits"), limit);
    const take = (data) => {
      try {
        const { text, final } = JSON.parse(data);
        got += text;
        if (final) end();
      } catch (error) {
        end(error);
      }
    };
    close = use(take, end);
  });
}

const clients = {
  "EventSource (Chromium)": (url) => each((take, end) => {
    const source = new EventSource(url);
    source.onmessage = (e) => take(e.data);
    source.addEventListener("error", (e) => end(e.data ? `error event: ${e.data}` : "connection error"));
    return () => source.close();
  }),
  "sse.js 2.5 as LibreChat has it": (url) => each((take, end) => {
    const source = new SSE(url);
    source.addEventListener("message", (e) => take(e.data));
    source.addEventListener("error", (e) => end(e.data ? `error event: ${e.data}` : "connection error"));
    source.stream();
    return () => source.close();
  }),
  "fetch-event-source (Chromium)": (url) => each((take, end) => {
    const stop = new AbortController();
    fetchEventSource(url, {
      signal: stop.signal,
      openWhenHidden: true,
      onmessage: ({ event, data }) => {
        if (event === "error") end(`error event: ${data}`);
        else if (event === "" || event === "message") take(data);
      },
      onclose: () => end("closed"),
      onerror: (error) => { end(error); throw error; },
    }).catch(end);
    return () => stop.abort();
  }),
};

globalThis.read = async (urls) => {
  const lines = [];
  const runs = [];
  for (const [form, url] of Object.entries(urls)) {
    for (const scene of ["silence", "deadline"]) {
      for (const style of ["named", "unnamed"]) {
        for (const [client, use] of Object.entries(clients)) {
          runs.push(use(`${url}/${scene}/${style}`).then((line) => lines.push({ client: `${client}, ${style}`, form, case: scene, ...line })));
        }
      }
    }
  }
  await Promise.all(runs);
  return lines;
};
globalThis.ready = true;
