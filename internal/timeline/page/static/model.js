// The model: events become environments with their states and requests with
// their hops. It knows no page and no clock, so that a test can run it alone.

export const HOPS = ["cloudfront", "s3", "apigateway", "lambda"];
export const BILLED = new Set(["init", "restore", "busy", "draining"]);
const KEPT_REQUESTS = 4000;
const KEPT_LOGS = 200;
const KEPT_UPLOADS = 500;
const KEPT_ENVIRONMENTS = 500; // those that live are always kept
const KEPT_PER_ENVIRONMENT = 2000; // requests and states

// Model is all that the page draws. Times are milliseconds on the events' clock.
export class Model {
  constructor() {
    this.environments = new Map();
    this.requests = new Map(); // in the order they began
    this.uploads = new Map(); // those by way of S3, by their object's key
    this.stores = [];
    this.missed = 0;
    this.begin = Infinity; // of the first event
    this.end = -Infinity; // of the newest event
    this.total = 0; // requests ever seen
    this.failed = 0;
    this.coldStarts = 0;
    this.coldTime = 0;
    this.coldWorst = 0;
    this.peak = 0;
    this.buried = 0; // billed time of environments that were dropped
  }

  apply(e) {
    this.begin = Math.min(this.begin, e.t);
    this.end = Math.max(this.end, e.t);
    const handle = handlers[e.kind];
    if (handle) handle(this, e);
  }

  environment(id) {
    let env = this.environments.get(id);
    if (!env) {
      env = { id, number: Number(id.replace(/\D+/g, "")) || 0, spans: [], requests: [], served: 0, init: null, logs: [] };
      this.environments.set(id, env);
      this.bury();
    }
    return env;
  }

  request(e) {
    let request = this.requests.get(e.request);
    if (!request) {
      request = { id: e.request, number: ++this.total, start: e.t, end: null, hops: {}, limits: [], method: "", path: "", status: 0 };
      this.requests.set(e.request, request);
      this.forget();
    }
    return request;
  }

  // join makes a request one of the calls of an upload by way of S3.
  join(request, key) {
    let upload = this.uploads.get(key);
    if (!upload) {
      upload = { calls: [], main: request };
      this.uploads.set(key, upload);
      if (this.uploads.size > KEPT_UPLOADS) this.uploads.delete(this.uploads.keys().next().value);
    }
    if (!upload.calls.includes(request)) upload.calls.push(request);
    request.upload = upload;
    return upload;
  }

  // forget drops the oldest request that has ended once there are too many.
  forget() {
    if (this.requests.size <= KEPT_REQUESTS) return;
    for (const [id, request] of this.requests) {
      if (request.end === null) continue;
      this.requests.delete(id);
      return;
    }
  }

  // bury drops the environment that ended first once there are too many.
  bury() {
    if (this.environments.size <= KEPT_ENVIRONMENTS) return;
    for (const env of this.environments.values()) {
      if (state(env) !== "killed") continue;
      this.buried += env.billed || 0;
      this.environments.delete(env.id);
      return;
    }
  }

  // summary counts what the page's head shows, at a time.
  summary(now) {
    const states = { init: 0, restore: 0, busy: 0, draining: 0, frozen: 0, shutdown: 0, killed: 0 };
    let billed = this.buried;
    for (const env of this.environments.values()) {
      states[state(env)]++;
      billed += env.billed || 0;
      const last = env.spans.at(-1);
      if (last && BILLED.has(last.state)) billed += Math.max(0, now - last.from);
    }
    const alive = states.init + states.restore + states.busy + states.draining + states.frozen;
    let inFlight = 0;
    for (const r of this.requests.values()) if (r.end === null) inFlight++;
    return { states, alive, peak: this.peak, billed, inFlight, total: this.total, failed: this.failed,
      coldStarts: this.coldStarts, coldTime: this.coldTime, coldWorst: this.coldWorst };
  }
}

const handlers = {
  "request.start"(model, e) {
    const request = model.request(e);
    request.hops[e.hop] ||= newHop(e.hop, e.t);
    request.first ||= e.hop; // the viewer's side
    request.method ||= e.method || "";
    request.path ||= e.path || "";
    if (e.upload) model.join(request, e.upload);
  },
  "upload"(model, e) {
    const request = model.request(e);
    const upload = model.join(request, e.upload);
    if (e.note === "request") upload.main = request;
  },
  "request.first_byte"(model, e) {
    const request = model.request(e);
    const hop = (request.hops[e.hop] ||= newHop(e.hop, e.t));
    hop.firstByte = e.t;
    hop.status = e.status || hop.status;
    if (request.first === e.hop) request.status = e.status || request.status;
  },
  "request.chunk"(model, e) {
    const hop = (model.request(e).hops[e.hop] ||= newHop(e.hop, e.t));
    hop.firstByte ??= e.t;
    hop.chunks.push(e.t);
    hop.sizes.push(e.bytes || 0);
    hop.bytes += e.bytes || 0;
  },
  "request.end"(model, e) {
    const request = model.request(e);
    const hop = (request.hops[e.hop] ||= newHop(e.hop, e.t));
    Object.assign(hop, { end: e.t, status: e.status || hop.status, bytes: e.bytes || hop.bytes, note: e.note || "", error: e.error || "" });
    if (request.first && request.first !== e.hop) return;
    request.end = e.t;
    request.status = hop.status;
    request.error = hop.error;
    if (request.status >= 500 || hop.error) model.failed++;
  },
  "invoke"(model, e) {
    const request = model.request(e);
    const env = model.environment(e.environment);
    Object.assign(request, { environment: env.id, invocation: e.invocation, invokedAt: e.t });
    request.cold = coldStart(request, env);
    env.served++;
    keep(env.requests, request, KEPT_PER_ENVIRONMENT);
    if (request.cold) {
      env.cold = request.cold;
      model.coldStarts++;
      model.coldTime += request.cold.cost;
      model.coldWorst = Math.max(model.coldWorst, request.cold.cost);
    }
  },
  "environment.state"(model, e) {
    const env = model.environment(e.environment);
    const last = env.spans.at(-1);
    if (last && last.state === e.state) return;
    if (last) {
      last.to = e.t;
      if (BILLED.has(last.state)) env.billed = (env.billed || 0) + e.t - last.from;
    }
    const span = { state: e.state, from: e.t, to: e.state === "killed" ? e.t : null, note: e.note || "" };
    keep(env.spans, span, KEPT_PER_ENVIRONMENT);
    env.begin ??= e.t;
    if (e.state === "init") {
      env.init ??= span;
      Object.assign(env, { steps: [], stepped: e.t });
    }
    model.peak = Math.max(model.peak, alive(model));
  },
  "environment.step"(model, e) {
    const env = model.environment(e.environment);
    const cost = e.took ? e.took / 1e6 : e.t - (env.stepped ?? e.t);
    if (cost < 0) return; // told too late
    keep((env.steps ||= []), { name: e.note || "", cost }, KEPT_LOGS);
    env.stepped = e.t;
  },
  "log"(model, e) {
    keep(model.environment(e.environment).logs, { t: e.t, line: e.note || "" }, KEPT_LOGS);
  },
  "limit"(model, e) {
    if (e.request) model.request(e).limits.push({ t: e.t, hop: e.hop, note: e.note || "" });
    else if (e.environment) model.environment(e.environment).logs.push({ t: e.t, line: e.note || "", limit: true });
  },
  "request.wait"(model, e) {
    model.request(e).limits.push({ t: e.t, hop: e.hop, note: e.note || "" });
  },
  "notice"(model, e) {
    model.request(e).limits.push({ t: e.t, hop: "notice", note: e.note || "" });
  },
  "store"(model, e) {
    keep(model.stores, { t: e.t, note: e.note || "" }, KEPT_LOGS);
  },
};

// keep adds to a list that holds so many, the newest.
function keep(list, item, most) {
  list.push(item);
  if (list.length > most) list.shift();
}

function newHop(name, t) {
  return { name, start: t, firstByte: null, end: null, status: 0, bytes: 0, chunks: [], sizes: [], note: "", error: "" };
}

// callsOf are the requests that a row shows: those of a whole upload, or the one.
export const callsOf = (request) => request.upload?.calls ?? [request];

// beginOf and endOf are those of a row.
export const beginOf = (request) => callsOf(request)[0].start;
export const endOf = (request) => {
  const ends = callsOf(request).map((r) => r.end);
  return ends.includes(null) ? null : Math.max(...ends);
};

// state is where an environment is now.
export function state(env) {
  return env.spans.at(-1)?.state ?? "init";
}

function alive(model) {
  let n = 0;
  for (const env of model.environments.values()) if (!["killed", "shutdown"].includes(state(env))) n++;
  return n;
}

// coldStart says what a request waited for its environment's init: a request is
// cold when it is the environment's first and the init was not over as it came.
function coldStart(request, env) {
  if (env.served > 0) return null;
  const init = env.init;
  const came = request.hops.lambda?.start ?? request.start;
  if (!init) return null;
  const ready = init.to ?? request.invokedAt;
  if (ready <= came) return null;
  return { cost: request.invokedAt - came, init: ready - init.from };
}

// held is what was billed after a request's response had ended, until the
// environment froze or took the next request.
export function held(request, env, now) {
  if (request.invokedAt === undefined) return 0;
  const next = env.requests[env.requests.indexOf(request) + 1];
  const until = next?.invokedAt ?? Infinity;
  const span = env.spans.find((s) => s.state === "draining" && s.from >= request.invokedAt && s.from < until);
  return span ? (span.to ?? now) - span.from : 0;
}

// gaps are the pauses of a hop's stream: their largest and their median.
export function gaps(chunks) {
  if (chunks.length < 2) return null;
  const all = chunks.slice(1).map((t, i) => t - chunks[i]).sort((a, b) => a - b);
  return { largest: all.at(-1), median: all[all.length >> 1] };
}
