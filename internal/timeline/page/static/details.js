// The details of one request or one environment, beside the lanes.

import { bar, colours, diamond, fitText, prepare, ticks } from "./canvas.js";
import { HOPS, beginOf, endOf, gaps, held, state } from "./model.js";
import { served } from "./requests.js";
import { clock, duration, size } from "./view.js";

const TITLES = { cloudfront: "CloudFront", s3: "S3", apigateway: "API Gateway", lambda: "Lambda" };

// element builds a node: element("p", {class: "x"}, "text", child).
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) node[name] = value;
    else if (name === "style") Object.assign(node.style, value);
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// settle makes parent's children equal to nodes and keeps every node that is there
// and of the same kind: whoever holds one (the keyboard's focus, a selection of
// text, a pointer on its way to a button) goes on holding it.
export function settle(parent, nodes) {
  const old = [...parent.childNodes];
  nodes.forEach((node, i) => {
    const was = old[i];
    if (!was) parent.append(node);
    else if (was.nodeName !== node.nodeName || node.nodeName === "CANVAS") was.replaceWith(node);
    else if (node.nodeType === Node.TEXT_NODE) was.data !== node.data && (was.data = node.data);
    else take(was, node);
  });
  old.slice(nodes.length).forEach((node) => node.remove());
}

function take(was, node) {
  for (const { name } of [...was.attributes]) if (!node.hasAttribute(name)) was.removeAttribute(name);
  for (const { name, value } of node.attributes) if (was.getAttribute(name) !== value) was.setAttribute(name, value);
  was.onclick = node.onclick;
  settle(was, [...node.childNodes]);
}

function head(title, close) {
  return element("header", {}, element("h3", {}, ...title), element("button", { onclick: close, "aria-label": "Close details" }, "✕"));
}

function say(tone, text) {
  const node = element("p", { class: "say" }, text);
  node.style.setProperty("--tone", `var(--${tone})`);
  return node;
}

// requestDetails draws a request's way through the hops on a scale of its own.
export function requestDetails(r, { model, now, close, select, show }) {
  const env = r.environment && model.environments.get(r.environment);
  const canvas = element("canvas");
  const node = [
    head([element("code", {}, `${r.method} ${r.path}`)], close),
    element("p", { class: "lede" }, `${r.status || "no status yet"} · ${served(r)} · ${r.end === null ? "under way" : duration(r.end - r.start)}`),
    canvas,
    ...uploadSection(r, select),
    ...statements(r, env, now),
    element("h4", {}, "Hops, from the request's arrival at the edge"),
    hopTable(r),
    element("div", { class: "actions" }, element("button", { onclick: () => show(r) }, "Zoom to request"),
      env && element("button", { onclick: () => select(env) }, `Show ${env.id}`)),
    element("dl", { class: "meta" }, ...pair("request", r.id), ...pair("invocation", r.invocation), ...pair("began", clock(r.start, 1))),
    ...logSection(env?.logs.filter((l) => l.t >= r.start && l.t <= (r.end ?? now) + held(r, env, now)), "What the environment wrote meanwhile"),
  ];
  return { nodes: node.filter(Boolean), draw: () => drawHops(canvas, r, env, now) };
}

// uploadSection lists the calls of an upload by way of S3.
function uploadSection(r, select) {
  if (!r.upload) return [];
  const { calls, main } = r.upload;
  const [begin, end] = [beginOf(r), endOf(r)];
  const stored = calls.filter((c) => c.first === "s3");
  const name = (c) => (c.first === "s3" ? "PUT to S3" : c === main && c !== calls[0] ? `${c.method} ${c.path}` : "ticket");
  const rows = calls.map((c) =>
    element("tr", { "data-request": c.id, onclick: () => select(c) }, element("td", { class: "path", title: `${c.method} ${c.path}` }, name(c)),
      element("td", {}, String(c.status || "…")), element("td", {}, duration(c.start - begin)), element("td", {}, c.end === null ? "–" : duration(c.end - c.start)),
      element("td", {}, size(c.hops[c.first]?.bytes ?? 0))));
  const titles = ["call", "status", "after", "took", "bytes"];
  const bytes = stored.reduce((sum, c) => sum + (c.hops.s3?.bytes ?? 0), 0);
  return [
    element("h4", {}, `One upload of ${size(bytes)} by way of S3, in ${calls.length} calls${end === null ? "" : " and " + duration(end - begin)}`),
    element("table", { class: "calls" }, element("thead", {}, element("tr", {}, ...titles.map((t) => element("th", {}, t)))), element("tbody", {}, ...rows)),
  ];
}

function pair(name, value) {
  return value ? [element("dt", {}, name), element("dd", {}, value)] : [];
}

// statements say in words what a reader would else have to measure.
function statements(r, env, now) {
  const out = [];
  if (r.error) out.push(say("killed", `Broken off: ${r.error}`));
  for (const limit of r.limits) out.push(say("killed", `${TITLES[limit.hop] ?? (limit.hop === "notice" ? "Note" : "Limit")}: ${limit.note}`));
  if (r.cold) out.push(say("init", `Cold start: it waited ${duration(r.cold.cost)} for ${r.environment} to start (init took ${duration(r.cold.init)}).${startSteps(env)}`));
  const outer = r.hops[r.first];
  const pauses = outer && gaps(outer.chunks);
  if (pauses) out.push(say("busy", `${outer.chunks.length} chunks, ${size(outer.bytes)}. Pauses between chunks: median ${duration(pauses.median)}, largest ${duration(pauses.largest)}.`));
  const after = env ? held(r, env, now) : 0;
  if (after > 0) out.push(say("draining", `${r.environment} stayed awake ${duration(after)} after the response, for work the app had not finished. It is billed.`));
  if (/hit/i.test(r.hops.cloudfront?.note ?? "")) out.push(say("cloudfront", "Answered from the edge's cache: no origin was asked."));
  return out;
}

// startSteps tells what an environment's start was spent on.
function startSteps(env) {
  const steps = (env?.steps ?? []).filter((s) => s.cost >= 1);
  return steps.length ? ` Steps: ${steps.map((s) => `${s.name} ${duration(s.cost)}`).join(", ")}.` : "";
}

function hopTable(r) {
  const rows = HOPS.filter((name) => r.hops[name]).map((name) => {
    const hop = r.hops[name];
    const at = (t) => (t === null || t === undefined ? "–" : duration(t - r.start));
    return element("tr", { title: hop.note || undefined }, element("td", {}, TITLES[name]), element("td", {}, at(hop.start)),
      element("td", {}, at(hop.firstByte)), element("td", {}, at(hop.end)), element("td", {}, String(hop.chunks.length)), element("td", {}, size(hop.bytes)));
  });
  const titles = ["hop", "reached", "first byte", "end", "chunks", "bytes"];
  return element("table", {}, element("thead", {}, element("tr", {}, ...titles.map((t) => element("th", {}, t)))), element("tbody", {}, ...rows));
}

const LABELS = 108;

function drawHops(canvas, r, env, now) {
  const c = colours();
  const names = HOPS.filter((name) => r.hops[name]);
  const width = canvas.clientWidth;
  const height = names.length * 34 + 26;
  const ctx = prepare(canvas, width, height);
  const after = env ? held(r, env, now) : 0;
  const end = Math.max(r.end ?? now, (r.hops.lambda?.end ?? 0) + after);
  const x = (t) => LABELS + ((t - r.start) / Math.max(0.001, end - r.start)) * (width - LABELS - 14);
  x.invert = (at) => r.start + ((at - LABELS) / (width - LABELS - 14)) * (end - r.start);
  names.forEach((name, i) => drawHop(ctx, r, r.hops[name], 12 + i * 34, x, now, c));
  if (after > 0) bar(ctx, x(r.hops.lambda.end ?? now), x((r.hops.lambda.end ?? now) + after), 12 + names.indexOf("lambda") * 34 + 5, 10, c.draining, 0.6);
  ctx.font = `10.5px ${c.font}`;
  ctx.fillStyle = c.muted;
  ctx.fillText("0", LABELS, height - 10);
  ctx.textAlign = "right";
  ctx.fillText(duration(end - r.start), width - 12, height - 10);
}

function drawHop(ctx, r, hop, y, x, now, c) {
  ctx.textAlign = "left";
  ctx.font = `550 11.5px ${c.font}`;
  ctx.fillStyle = c.text;
  ctx.fillText(TITLES[hop.name], 11, y + 10);
  const end = hop.end ?? now;
  const first = hop.firstByte ?? end;
  bar(ctx, x(hop.start), x(first), y, 20, c[hop.name], 0.28);
  if (first < end) bar(ctx, x(first), x(end), y, 20, c[hop.name], 0.85);
  if (hop.name === "lambda" && r.invokedAt !== undefined && x(r.invokedAt) - x(hop.start) > 1) {
    bar(ctx, x(hop.start), x(r.invokedAt), y, 20, r.cold ? c.init : c.muted, 1);
    ctx.font = `10.5px ${c.font}`;
    ctx.fillStyle = c.mark;
    ctx.fillText(fitText(ctx, r.cold ? "cold start" : "waiting", x(r.invokedAt) - x(hop.start) - 8), x(hop.start) + 5, y + 10.5);
  }
  ticks(ctx, hop.chunks, x, 0, x(end) + 1, y + 2, 16, c.mark, 0.8);
  if (hop.firstByte !== null) diamond(ctx, x(hop.firstByte), y + 10, 4.5, c.panel, c.text);
}

// environmentDetails tells an environment's life, what it served and what it wrote.
export function environmentDetails(env, { now, close, select, act, can }) {
  const spent = {};
  for (const span of env.spans) spent[span.state] = (spent[span.state] || 0) + (span.to ?? now) - span.from;
  const states = ["init", "restore", "busy", "draining", "frozen", "shutdown"].filter((s) => spent[s] > 0);
  const ended = ["killed", "shutdown"].includes(state(env));
  const last = env.spans.at(-1);
  return {
    nodes: [
      head([env.id], close),
      element("p", { class: "lede" }, `${state(env)}${last?.note ? ": " + last.note : ""} · started at ${clock(env.begin ?? 0, 100)}`),
      shares(states, spent),
      env.cold && say("init", `Its first request waited ${duration(env.cold.cost)} for it to start.${startSteps(env)}`),
      element("div", { class: "actions" },
        can.recycle && element("button", { onclick: (e) => act("recycle", env, e.target), disabled: ended || undefined, title: "Shut it down once its work is done; the next request gets a new one" }, "Recycle"),
        can.kill && element("button", { class: "danger", onclick: (e) => act("kill", env, e.target), disabled: ended || undefined, title: "End it at once, in the middle of what it does" }, "Kill")),
      element("h4", {}, `Requests served: ${env.served}`),
      env.requests.length > 0 && servedTable(env, now, select),
      ...logSection(env.logs, "Output"),
    ].filter(Boolean),
    draw() {},
  };
}

// storeDetails lists what the stores reported, the newest first.
export function storeDetails(_, { model, close }) {
  const lines = model.stores.toReversed().flatMap((s) => [element("i", {}, clock(s.t, 1) + "  "), s.note, "\n"]);
  return {
    nodes: [head(["Stores"], close), element("p", { class: "lede" }, "What the databases and caches of the rehearsal reported, newest first."), element("pre", { class: "long" }, ...lines)],
    draw() {},
  };
}

function shares(states, spent) {
  const colour = (s) => ({ background: `var(--${s})` });
  return element("div", {},
    element("div", { class: "bar" }, ...states.map((s) => element("i", { style: { ...colour(s), flexGrow: spent[s] } }))),
    element("div", { class: "share" }, ...states.map((s) => element("span", {}, element("i", { class: "swatch", style: colour(s) }), s + " ", element("b", {}, duration(spent[s]))))));
}

function servedTable(env, now, select) {
  const rows = env.requests.slice(-60).reverse().map((r) =>
    element("tr", { "data-request": r.id, onclick: () => select(r) }, element("td", { class: "path", title: r.path }, `${r.method} ${r.path}`),
      element("td", {}, String(r.status || "…")), element("td", {}, duration((r.hops.lambda?.end ?? now) - r.invokedAt)),
      element("td", {}, held(r, env, now) > 0 ? duration(held(r, env, now)) : "–")));
  const titles = ["request", "status", "busy", "after it"];
  return element("table", {}, element("thead", {}, element("tr", {}, ...titles.map((t) => element("th", {}, t)))), element("tbody", {}, ...rows));
}

function logSection(logs, title) {
  if (!logs?.length) return [];
  const lines = logs.slice(-120).flatMap((l) => [element("i", {}, clock(l.t, 1) + "  "), element("span", { class: l.limit ? "bad" : undefined }, l.line), "\n"]);
  return [element("h4", {}, title), element("pre", {}, ...lines)];
}
