// The lower panel: a row per request, newest first, with its hops inside one
// another as they call one another.

import { GUTTER, bar, diamond, fitText, grid, gutter, roomy, scale, ticks } from "./canvas.js";
import { beginOf, callsOf, endOf } from "./model.js";
import { duration } from "./view.js";

export const ROW = 24;

// visibleRequests are those on the screen that the filter lets through, newest first. Of
// an upload's calls it is the one that the body is of, in whose row they all are drawn.
export function visibleRequests(model, view, filter, now) {
  const out = [];
  for (const request of model.requests.values()) {
    if (request.upload && request.upload.main !== request) continue;
    if (beginOf(request) > view.to || (endOf(request) ?? now) < view.from) continue;
    if (passes(request, filter)) out.push(request);
  }
  return out.sort((a, b) => beginOf(b) - beginOf(a));
}

function passes(request, filter) {
  if (filter.text && !request.path.toLowerCase().includes(filter.text.toLowerCase())) return false;
  switch (filter.show) {
    case "api":
      return Boolean(request.hops.apigateway || request.hops.lambda);
    case "site":
      return !request.hops.apigateway && !request.hops.lambda;
    case "errors":
      return request.status >= 400 || Boolean(request.error) || request.limits.length > 0;
    default:
      return true;
  }
}

// drawRows paints the rows on the screen.
export function drawRows(ctx, { view, c, width, height, top, requests, now, hover, selected }) {
  grid(ctx, view, c, width, height, now);
  const x = scale(view, GUTTER, width - GUTTER);
  const first = Math.floor(top / ROW);
  const shown = requests.slice(first, first + Math.ceil(height / ROW) + 1).map((r, i) => ({ r, y: (first + i) * ROW - top }));
  ctx.save();
  ctx.beginPath();
  ctx.rect(GUTTER, 0, width - GUTTER, height);
  ctx.clip();
  for (const { r, y } of shown) {
    shade(ctx, r, y, width, c, hover, selected);
    for (const call of callsOf(r)) drawHops(ctx, call, y, ROW, x, width, now, c);
    drawTotal(ctx, r, y, x, width, now, c);
  }
  ctx.restore();
  gutter(ctx, c, height);
  for (const { r, y } of shown) drawLabel(ctx, r, y, c, now, hover, selected);
}

function shade(ctx, r, y, width, c, hover, selected) {
  const marked = selected === r || (selected?.spans && r.environment === selected.id);
  if (!marked && hover !== r) return;
  ctx.fillStyle = marked ? c.selected : c.hover;
  ctx.fillRect(0, y, width, ROW);
}

const HEIGHTS = { cloudfront: 16, s3: 10, apigateway: 10, lambda: 5 };

// drawHops draws the hops of a request, the outer ones behind: faint until the
// first byte, full while the body flows, amber while an environment starts.
function drawHops(ctx, r, y, row, x, width, now, c) {
  const middle = y + row / 2;
  for (const name of ["cloudfront", "s3", "apigateway", "lambda"]) {
    const hop = r.hops[name];
    if (!hop) continue;
    const h = HEIGHTS[name];
    const end = hop.end ?? now;
    const first = hop.firstByte ?? end;
    const clamp = (t) => Math.min(width + 4, Math.max(GUTTER - 4, x(t)));
    if (x(end) < GUTTER || x(hop.start) > width) continue;
    bar(ctx, clamp(hop.start), clamp(first), middle - h / 2, h, c[name], name === "cloudfront" ? 0.22 : 0.34);
    if (first < end) bar(ctx, clamp(first), clamp(end), middle - h / 2, h, c[name], name === "cloudfront" ? 0.5 : 0.9);
    if (name === "lambda") drawWait(ctx, r, hop, middle, clamp, now, c);
  }
  drawMarks(ctx, r, middle, x, width, now, c);
}

function drawWait(ctx, r, hop, middle, clamp, now, c) {
  const until = r.invokedAt ?? (hop.end === null ? now : null);
  if (until === null) return;
  const x0 = clamp(hop.start);
  const x1 = clamp(until);
  if (x1 - x0 < 0.7 && !r.cold) return;
  bar(ctx, x0, x1, middle - 3.5, 7, r.cold || r.invokedAt === undefined ? c.init : c.muted, 1);
}

// drawMarks draws what reached the viewer: the first byte and every chunk.
function drawMarks(ctx, r, middle, x, width, now, c) {
  const outer = r.hops[r.first] ?? Object.values(r.hops)[0];
  if (!outer) return;
  const x0 = x(outer.start);
  const x1 = x(outer.end ?? now);
  if (x1 - x0 > 4) ticks(ctx, outer.chunks, x, Math.max(GUTTER, x0), Math.min(width, x1 + 1), middle - 8, 16, c.chunk, 0.62);
  if (outer.firstByte !== null && x1 - x0 > 6) diamond(ctx, x(outer.firstByte), middle, 4, c.panel, c.text);
  if (r.end === null && x1 <= width) {
    ctx.fillStyle = c.accent;
    ctx.beginPath();
    ctx.arc(x1, middle, 3.6, 0, 7);
    ctx.fill();
  }
  if (r.status >= 500 || r.error) {
    ctx.strokeStyle = c.killed;
    ctx.lineWidth = 1.4;
    ctx.strokeRect(x0 - 0.5, middle - 9, Math.max(3, x1 - x0 + 1), 18);
  }
}

// drawTotal writes the times behind the bar or, where they would leave the page, before it.
function drawTotal(ctx, r, y, x, width, now, c) {
  const outer = r.hops[r.first];
  if (!outer) return;
  const [begin, end] = [beginOf(r), endOf(r)];
  const x1 = x(end ?? now) + 9;
  if (x1 < GUTTER || x1 > width + 9) return;
  const parts = [r.upload && "upload", r.cold && `cold start ${duration(r.cold.cost)}`, end !== null && duration(end - begin)];
  const text = parts.filter(Boolean).join(" · ");
  ctx.font = `11px ${c.font}`;
  ctx.fillStyle = c.muted;
  const size = ctx.measureText(text).width;
  const before = x(begin) - 9;
  if (x1 + size > width && before - size < GUTTER) return;
  ctx.textAlign = x1 + size > width ? "right" : "left";
  ctx.fillText(text, x1 + size > width ? before : x1, y + ROW / 2 + 0.5);
}

// Pixels that a status and the name of who answered may take.
const STATUS = 36;
const SERVED = 74;

// columns are the left edges of method and path, and the right edges of status
// and of who answered, which a phone has no room for.
function columns() {
  if (!roomy()) return { method: 8, path: 46, status: GUTTER - 8 };
  return { method: 16, path: 76, status: GUTTER - 14 - SERVED - 12, served: GUTTER - 14 };
}

function drawLabel(ctx, r, y, c, now, hover, selected) {
  shade(ctx, r, y, GUTTER - 1, c, hover, selected);
  const middle = y + ROW / 2 + 0.5;
  ctx.textAlign = "left";
  ctx.font = `600 10.5px ${c.font}`;
  ctx.fillStyle = c.muted;
  const column = columns();
  ctx.fillText(fitText(ctx, r.method, column.path - column.method - 6), column.method, middle);
  ctx.font = `12px ${c.mono}`;
  ctx.fillStyle = c.text;
  ctx.fillText(fitText(ctx, r.path, column.status - STATUS - column.path), column.path, middle);
  ctx.font = `12px ${c.font}`;
  ctx.textAlign = "right";
  ctx.fillStyle = statusColour(r, c);
  ctx.fillText(r.status ? String(r.status) : r.end === null ? "…" : "–", column.status, middle);
  ctx.fillStyle = c.muted;
  if (column.served) ctx.fillText(fitText(ctx, served(r), SERVED), column.served, middle);
  ctx.textAlign = "left";
}

function statusColour(r, c) {
  if (r.status >= 500 || r.error) return c.killed;
  if (r.status >= 400) return c.init;
  return r.status ? c.ok : c.muted;
}

// served says in a word who answered.
export function served(r) {
  if (r.environment) return r.environment;
  if (/hit/i.test(r.hops.cloudfront?.note ?? "")) return "edge cache";
  if (r.hops.s3) return "S3";
  if (r.hops.lambda) return r.end === null ? "starting" : "Lambda";
  if (r.hops.apigateway) return "gateway";
  return "edge";
}
