// The upper panel: a lane per execution environment.

import { GUTTER, bar, fitText, grid, gutter, hatch, roomy, scale, ticks } from "./canvas.js";
import { state } from "./model.js";
import { clock, duration } from "./view.js";

// laneHeight keeps forty environments legible and four generous.
export function laneHeight(count, room) {
  return Math.max(11, Math.min(30, Math.floor(room / Math.max(1, count))));
}

// visibleEnvironments are those that live in the stretch on the screen, oldest first.
export function visibleEnvironments(model, view) {
  const out = [];
  for (const env of model.environments.values()) {
    const first = env.spans[0];
    const last = env.spans.at(-1);
    if (!first || first.from > view.to || (last.to !== null && last.to < view.from)) continue;
    out.push(env);
  }
  return out.sort((a, b) => a.number - b.number || a.begin - b.begin);
}

export function drawAxis(ctx, view, c, width, height) {
  ctx.font = `11px ${c.font}`;
  ctx.textAlign = "center";
  const w = width - GUTTER;
  const { step, times } = view.ticks(w);
  ctx.save();
  ctx.beginPath();
  ctx.rect(GUTTER, 0, w, height);
  ctx.clip();
  for (const t of times) {
    const x = GUTTER + view.x(t, w);
    ctx.fillStyle = c.muted;
    ctx.fillText(clock(t, step), x, height / 2 + 0.5);
  }
  ctx.restore();
  ctx.textAlign = "left";
  ctx.fillStyle = c.muted;
  ctx.fillText("time since start", roomy() ? 16 : 8, height / 2 + 0.5);
}

// drawLanes paints the lanes that are on the screen and tells where each is.
export function drawLanes(ctx, { model, view, c, width, height, top, lane, environments, now, hover, selected }) {
  grid(ctx, view, c, width, height, now);
  const x = scale(view, GUTTER, width - GUTTER);
  const shown = environments.map((env, i) => ({ env, y: i * lane - top })).filter(({ y }) => y > -lane && y < height);
  ctx.save();
  ctx.beginPath();
  ctx.rect(GUTTER, 0, width - GUTTER, height);
  ctx.clip();
  for (const { env, y } of shown) {
    shade(ctx, env, y, lane, width, c, hover, selected);
    for (const span of env.spans) drawSpan(ctx, span, y, lane, x, width, now, c);
    drawRequests(ctx, env, y, lane, x, width, now, c, hover, selected);
  }
  ctx.restore();
  gutter(ctx, c, height);
  for (const { env, y } of shown) drawLabel(ctx, env, y, lane, c, hover, selected);
}

function shade(ctx, env, y, lane, width, c, hover, selected) {
  const marked = selected === env || selected?.environment === env.id;
  if (!marked && hover !== env) return;
  ctx.fillStyle = marked ? c.selected : c.hover;
  ctx.fillRect(0, y, width, lane);
}

const PAD = (lane) => (lane >= 22 ? 4 : lane >= 16 ? 2.5 : lane >= 13 ? 1.5 : 1);

function drawSpan(ctx, span, y, lane, x, width, now, c) {
  const x0 = Math.max(GUTTER - 4, x(span.from));
  const x1 = Math.min(width + 4, x(span.to ?? now));
  if (x1 < GUTTER || x0 > width) {
    return;
  }
  const pad = PAD(lane);
  const h = lane - 2 * pad;
  const middle = y + lane / 2;
  switch (span.state) {
    case "frozen":
      bar(ctx, x0, x1, middle - 1.5, 3, c.frozen, 1, 0);
      return;
    case "draining":
      bar(ctx, x0, x1, y + pad, h, c.draining, 0.25);
      hatch(ctx, x0, x1, y + pad, h, c.draining);
      return;
    case "shutdown":
      bar(ctx, x0, x1, middle - h / 4, h / 2, c.shutdown, 0.8, 1);
      return;
    case "killed":
      cross(ctx, x(span.from), middle, Math.min(5, h / 2.4), c.killed);
      return;
    default:
      bar(ctx, x0, x1, y + pad, h, c[span.state] ?? c.muted, span.state === "busy" ? 0.88 : 1);
  }
  if (span.state === "init" || span.state === "restore") label(ctx, span.state + " " + duration((span.to ?? now) - span.from), x0, x1, middle, lane, c);
}

function cross(ctx, x, y, r, colour) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2.2;
  ctx.lineCap = "round";
  ctx.beginPath();
  ctx.moveTo(x - r, y - r);
  ctx.lineTo(x + r, y + r);
  ctx.moveTo(x + r, y - r);
  ctx.lineTo(x - r, y + r);
  ctx.stroke();
  ctx.lineCap = "butt";
}

function label(ctx, text, x0, x1, y, lane, c) {
  if (lane < 15 || x1 - x0 < 34) return;
  ctx.font = `${lane >= 20 ? 11 : 10}px ${c.font}`;
  ctx.textAlign = "left";
  const fitted = fitText(ctx, text, x1 - x0 - 10);
  if (fitted.length < 4) return;
  ctx.fillStyle = c.mark;
  ctx.fillText(fitted, Math.max(x0, GUTTER) + 5, y + 0.5);
}

// drawRequests marks first bytes and chunks within the busy stretches.
function drawRequests(ctx, env, y, lane, x, width, now, c, hover, selected) {
  const pad = PAD(lane);
  const h = lane - 2 * pad;
  for (let i = env.requests.length - 1; i >= 0; i--) {
    const request = env.requests[i];
    const hop = request.hops.lambda;
    if (!hop) continue;
    const x0 = x(request.invokedAt);
    const x1 = x(hop.end ?? now);
    if (x0 > width) continue;
    if (x1 < GUTTER) break;
    const wide = x1 - x0;
    if (wide > 5) ticks(ctx, hop.chunks, x, Math.max(GUTTER, x0), Math.min(width, x1), y + pad + h * 0.66, h * 0.34, c.mark, 0.8);
    const text = hop.chunks.length > 1 && lane < 24 ? "" : `${request.method} ${request.path}`;
    label(ctx, text, Math.max(x0, GUTTER), Math.min(x1, width), y + pad + h * (hop.chunks.length > 1 ? 0.34 : 0.5), lane, c);
    if (request === hover || request === selected) {
      ctx.strokeStyle = c.text;
      ctx.lineWidth = 1.5;
      ctx.strokeRect(x0 - 1, y + pad - 1, Math.max(3, wide + 2), h + 2);
    }
  }
}

function drawLabel(ctx, env, y, lane, c, hover, selected) {
  shade(ctx, env, y, lane, GUTTER - 1, c, hover, selected);
  const now = state(env);
  const middle = y + lane / 2 + 0.5;
  const small = lane < 18;
  ctx.fillStyle = c[now];
  ctx.beginPath();
  const left = roomy() ? 33 : 20;
  ctx.arc(left - 12, middle - 0.5, small ? 3.2 : 4, 0, 7);
  ctx.fill();
  ctx.font = `${now === "killed" ? 400 : 550} ${small ? Math.min(11, lane - 1) : 12.5}px ${c.font}`;
  ctx.textAlign = "left";
  ctx.fillStyle = now === "killed" ? c.muted : c.text;
  ctx.fillText(fitText(ctx, env.id, 62), left, middle);
  ctx.font = `${small ? Math.min(10.5, lane - 1.5) : 12}px ${c.font}`;
  ctx.fillStyle = c.muted;
  ctx.fillText(now, left + 68, middle);
  if (!roomy()) return;
  ctx.textAlign = "right";
  const n = env.served;
  ctx.fillText(`${n} request${n === 1 ? "" : "s"}`, 252, middle);
  const init = env.init;
  if (init?.to) ctx.fillText(`init ${duration(init.to - init.from)}`, GUTTER - 14, middle);
  ctx.textAlign = "left";
}

// requestAt finds the request under a time in a lane.
export function requestAt(env, t, now) {
  return env.requests.findLast((r) => r.invokedAt <= t && (r.hops.lambda?.end ?? now) >= t);
}
