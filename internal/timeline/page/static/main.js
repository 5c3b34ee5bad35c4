// The page: the feed into the model, the model onto the canvases, and the
// hand's work (zoom, pan, pause, select).

import { GUTTER, colours, fitGutter, prepare, scale } from "./canvas.js";
import { environmentDetails, requestDetails, settle, storeDetails } from "./details.js";
import { Model, beginOf, endOf } from "./model.js";
import { drawAxis, drawLanes, laneHeight, requestAt, visibleEnvironments } from "./lanes.js";
import { ROW, drawRows, served, visibleRequests } from "./requests.js";
import { View, duration } from "./view.js";

const $ = (selector) => document.querySelector(selector);
const model = new Model();
const view = new View();
const filter = { show: "all", text: "" };
const panels = {
  environments: panel("#environments"),
  requests: panel("#requests"),
};
const STORES = { id: "stores", end: null };
let info = { recycle: false, kill: false };
let skew = 0; // events' clock less this browser's
let theme = null;
let selected = null; // a request, an environment or STORES
let hover = null;
let dirty = true;

window.timeline = { model, view }; // for tests and the curious

function panel(selector) {
  const scroll = $(selector + " .scroll");
  return { scroll, canvas: scroll.querySelector("canvas"), spacer: scroll.querySelector(".height"), items: [] };
}

const now = () => performance.now() + skew;

// ---- The feed.

async function connect() {
  info = await (await fetch("info")).json();
  skew = info.now - performance.now();
  view.to = Math.max(info.now, 1);
  $("#title").textContent = info.title;
  $("#viewer").textContent = info.viewerURL.replace(/^https?:\/\//, "");
  $("#viewer").href = info.viewerURL;
  const source = new EventSource("events");
  source.onopen = () => connection("on", "live");
  source.onerror = () => connection("off", "rehearsal has ended");
  source.onmessage = (message) => take(JSON.parse(message.data));
  source.addEventListener("open", checkRun);
}

// checkRun starts anew when the address now belongs to another rehearsal.
async function checkRun() {
  const current = await (await fetch("info")).json();
  if (current.run !== info.run) location.reload();
}

function take(batch) {
  skew = Math.max(skew, batch.now - performance.now());
  model.missed += batch.missed;
  for (const event of batch.events) model.apply(event);
  dirty = true;
}

function connection(name, text) {
  $("#connection").className = "connection " + name;
  $("#connection").textContent = text;
}

// ---- Drawing.

function frame() {
  requestAnimationFrame(frame);
  const moving = view.live && document.visibilityState === "visible";
  if (!dirty && !moving) return;
  dirty = false;
  draw(now());
}

function draw(t) {
  theme ??= colours();
  view.follow(t, model.begin);
  const width = $(".lanes").clientWidth;
  fitGutter(width);
  const axis = $(".axis");
  drawAxis(prepare(axis, width, 22), view, theme, width, 22);
  const common = { model, view, c: theme, now: t, hover, selected };
  drawEnvironments(common, t);
  drawRequests(common, t);
}

function drawEnvironments(common) {
  const p = panels.environments;
  p.items = visibleEnvironments(model, view);
  const share = p.items.length > 20 ? 0.68 : 0.54; // of the height, before the lanes scroll
  const room = Math.max(110, $(".lanes").clientHeight * share - 62);
  p.lane = laneHeight(p.items.length, room);
  const content = p.items.length * p.lane;
  const height = Math.min(room, Math.max(content, 2 * p.lane));
  p.scroll.style.flex = `none`;
  p.scroll.style.height = height + "px";
  const ctx = layout(p, content, height);
  drawLanes(ctx, { ...common, width: p.width, height, top: p.scroll.scrollTop, lane: p.lane, environments: p.items });
  if (p.items.length === 0) empty(ctx, model.environments.size ? "No environment in this stretch of time." : "No environment yet. Open the app: its first API call starts one.", p, height);
}

function drawRequests(common, t) {
  const p = panels.requests;
  p.items = visibleRequests(model, view, filter, t);
  const height = p.scroll.clientHeight;
  const ctx = layout(p, p.items.length * ROW, height);
  drawRows(ctx, { ...common, width: p.width, height, top: p.scroll.scrollTop, requests: p.items });
  if (p.items.length === 0) empty(ctx, model.total ? "No such request in this stretch of time." : "No request yet.", p, height);
}

function layout(p, content, height) {
  p.width = p.scroll.clientWidth;
  const spare = Math.max(0, content - height) + "px";
  if (p.spacer.style.height !== spare) p.spacer.style.height = spare;
  return prepare(p.canvas, p.width, height);
}

function empty(ctx, text, p, height) {
  ctx.font = `13px ${theme.font}`;
  ctx.fillStyle = theme.muted;
  ctx.textAlign = "center";
  const room = p.width - GUTTER > 420; // else across the labels, of which there are none
  ctx.fillText(text, room ? GUTTER + (p.width - GUTTER) / 2 : p.width / 2, Math.min(height / 2, 90), p.width - 16);
  ctx.textAlign = "left";
}

// ---- The head's numbers, a few times a second.

function summarize() {
  const s = model.summary(now());
  const names = ["init", "restore", "busy", "draining", "frozen"].filter((name) => s.states[name]);
  text("#alive", s.alive);
  text("#states", names.map((name) => `${s.states[name]} ${name}`).join(", ") || (s.peak ? `peak ${s.peak}` : "none yet"));
  text("#cold", s.coldStarts);
  text("#cold-cost", s.coldStarts ? `${duration(s.coldTime)} waited, worst ${duration(s.coldWorst)}` : "none yet");
  text("#billed", duration(s.billed));
  text("#billed-note", info.memorySize ? `${((s.billed / 1000) * (info.memorySize / 1024)).toFixed(2)} GB-s at ${info.memorySize} MB` : "");
  text("#in-flight", s.inFlight);
  text("#requests-total", s.total ? `of ${s.total} requests, ${s.failed || "none"} failed` : "no request yet");
  text("#missed", model.missed ? `${model.missed} older events dropped` : "");
  text("#span", duration(view.span));
  $("#stores").hidden = model.stores.length === 0;
  text("#stores", `${model.stores.length} store report${model.stores.length === 1 ? "" : "s"}`);
  if (selected && view.live) renderDetails();
}

function text(selector, value) {
  const node = $(selector);
  if (node.textContent !== String(value)) node.textContent = value;
}

// ---- Details.

function select(thing) {
  selected = thing;
  $("#details").hidden = !thing;
  renderDetails(true);
  dirty = true;
}

let detailsKey = "";

function renderDetails(force) {
  if (!selected) return;
  const key = detailKey();
  const settled = selected.spans ? false : selected.end !== null && key === detailsKey;
  if (!force && (settled || $("#details").matches(":hover:active"))) return;
  detailsKey = key;
  const build = selected === STORES ? storeDetails : selected.spans ? environmentDetails : requestDetails;
  const { nodes, draw } = build(selected, { model, now: now(), close: () => select(null), select, show, act, can: info });
  const pre = $("#details pre")?.scrollTop ?? 0;
  settle($("#details"), nodes);
  if ($("#details pre")) $("#details pre").scrollTop = pre;
  draw();
}

function detailKey() {
  const env = model.environments.get(selected.environment ?? selected.id);
  return `${selected.id} ${selected.end} ${selected.upload?.calls.length} ${env?.spans.length} ${env?.logs.length}`;
}

function show(request) {
  const lambdaEnd = request.hops.lambda?.end ?? 0;
  view.fit(beginOf(request), Math.max(endOf(request) ?? now(), lambdaEnd));
  liveButton();
}

async function act(action, env, button) {
  button.disabled = true;
  const answer = await fetch(`environments/${encodeURIComponent(env.id)}/${action}`, { method: "POST" });
  if (!answer.ok) alert(`${env.id}: ${(await answer.text()).trim()}`);
  renderDetails(true);
}

// ---- The pointer.

function thingAt(event, p) {
  const box = p.canvas.getBoundingClientRect();
  const x = event.clientX - box.left;
  const y = event.clientY - box.top + p.scroll.scrollTop;
  if (p === panels.requests) return p.items[Math.floor(y / ROW)] ?? null;
  const env = p.items[Math.floor(y / p.lane)] ?? null;
  if (!env || x < GUTTER) return env;
  return requestAt(env, scale(view, GUTTER, p.width - GUTTER).invert(x), now()) ?? env;
}

function listen(p) {
  let drag = null;
  p.canvas.addEventListener("pointerdown", (e) => {
    drag = { x: e.clientX, to: view.to, moved: false };
    p.canvas.setPointerCapture(e.pointerId);
  });
  p.canvas.addEventListener("pointermove", (e) => {
    if (drag && (drag.moved || Math.abs(e.clientX - drag.x) > 4)) {
      drag.moved = true;
      view.pause();
      view.to = drag.to - ((e.clientX - drag.x) / (p.width - GUTTER)) * view.span;
      tip(null);
      liveButton();
      return;
    }
    hover = thingAt(e, p);
    tip(e);
    dirty = true;
  });
  p.canvas.addEventListener("pointerup", (e) => {
    if (drag && !drag.moved) select(thingAt(e, p));
    drag = null;
  });
  p.canvas.addEventListener("pointerleave", () => {
    hover = null;
    tip(null);
    dirty = true;
  });
  p.scroll.addEventListener("scroll", () => (dirty = true));
  p.scroll.addEventListener("wheel", (e) => wheel(e, p), { passive: false });
}

function wheel(e, p) {
  if (e.ctrlKey || e.metaKey) {
    e.preventDefault();
    const share = Math.max(0, (e.clientX - p.canvas.getBoundingClientRect().left - GUTTER) / (p.width - GUTTER));
    view.zoom(Math.exp(e.deltaY * 0.0022), share);
  } else if (Math.abs(e.deltaX) > Math.abs(e.deltaY) || e.shiftKey) {
    e.preventDefault();
    view.pan(((e.deltaX || e.deltaY) / (p.width - GUTTER)) * view.span);
  }
  liveButton();
}

function tip(e) {
  const node = $("#tip");
  node.hidden = !e || !hover;
  if (node.hidden) return;
  node.textContent = hover.spans ? environmentTip(hover) : requestTip(hover);
  const right = e.clientX + 14 + node.offsetWidth > innerWidth;
  node.style.left = (right ? e.clientX - node.offsetWidth - 10 : e.clientX + 14) + "px";
  node.style.top = Math.min(innerHeight - node.offsetHeight - 6, e.clientY + 14) + "px";
}

function environmentTip(env) {
  const last = env.spans.at(-1);
  return `${env.id}: ${last.state} for ${duration((last.to ?? now()) - last.from)}${last.note ? "\n" + last.note : ""}\n${env.served} requests served`;
}

function requestTip(r) {
  const outer = r.hops[r.first];
  const lines = [`${r.method} ${r.path}`, `${r.status || "under way"} by ${served(r)}`];
  if (outer?.firstByte != null) lines.push(`first byte ${duration(outer.firstByte - r.start)}, ${r.end === null ? "streaming" : "end " + duration(r.end - r.start)}, ${outer.chunks.length} chunks`);
  if (r.cold) lines.push(`cold start: waited ${duration(r.cold.cost)}`);
  if (r.error) lines.push(r.error);
  return lines.join("\n");
}

// ---- Buttons and keys.

function liveButton() {
  $("#live").textContent = view.live ? "Pause" : "Resume";
  $("#live").setAttribute("aria-pressed", String(view.live));
  dirty = true;
}

const actions = {
  live() {
    view.live = !view.live;
  },
  "zoom-in"() {
    view.zoom(0.6, 0.5);
  },
  "zoom-out"() {
    view.zoom(1 / 0.6, 0.5);
  },
  all() {
    if (model.begin === Infinity) return;
    const live = view.live;
    view.fit(model.begin, Math.max(now(), model.begin + 1));
    view.live = live;
  },
  theme() {
    const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    document.documentElement.dataset.theme = dark === "dark" ? "light" : "dark";
    theme = null;
    renderDetails(true);
  },
};

const keys = { " ": "live", "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", 0: "all" };

function run(name) {
  actions[name]();
  liveButton();
  summarize();
}

for (const name of Object.keys(actions)) {
  $("#" + name).addEventListener("click", (e) => {
    e.currentTarget.blur();
    run(name);
  });
}

addEventListener("keydown", (e) => {
  if (e.target.matches("input") || e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "Escape") return select(null);
  if (e.key === "ArrowLeft" || e.key === "ArrowRight") {
    view.pan((e.key === "ArrowLeft" ? -0.15 : 0.15) * view.span);
    return liveButton();
  }
  if (!(e.key in keys)) return;
  e.preventDefault();
  run(keys[e.key]);
});

for (const button of document.querySelectorAll("[data-filter]")) {
  button.addEventListener("click", () => {
    filter.show = button.dataset.filter;
    for (const other of document.querySelectorAll("[data-filter]")) other.setAttribute("aria-pressed", String(other === button));
    dirty = true;
  });
}
$("#search").addEventListener("input", (e) => {
  filter.text = e.target.value;
  dirty = true;
});

$("#stores").addEventListener("click", () => select(STORES));
listen(panels.environments);
listen(panels.requests);
new ResizeObserver(() => (dirty = true)).observe($(".lanes"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  theme = null;
  dirty = true;
});
setInterval(summarize, 250);
requestAnimationFrame(frame);
connect().catch((error) => connection("off", error.message));
