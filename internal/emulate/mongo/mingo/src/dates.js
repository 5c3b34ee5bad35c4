// Expressions over dates: mingo's, with null for a null operand and with time zones by their names, which Go knows.

import { evalExpr } from "mingo/core/_internal";
import * as mingo from "mingo/operators/expression";
import { assert } from "mingo/util";
import { typeName } from "./values.js";
import { long, plain } from "./numbers.js";
import { isDocument } from "./paths.js";

const nil = (v) => v === undefined || v === null || typeName(v) === "undefined";

// offset is Go's: that of a zone at an instant, as "+02:00".
let offset;
export const zones = (f) => (offset = f);

// instant is what an operator takes for a date.
export function instant(v) {
  if (v instanceof Date) return v;
  switch (typeName(v)) {
    case "objectId":
      return new Date(parseInt(v.text.slice(0, 8), 16) * 1000);
    case "timestamp":
      return new Date(Number(BigInt(v.text) >> 32n) * 1000);
  }
  throw new Error(`can't convert from BSON type ${typeName(v)} to Date`);
}

const dates = ["date", "startDate", "endDate"];

// given calls one of mingo's operators with its operands by name. One that is null makes the result null.
const given = (f) => (doc, expr, options) => {
  const literal = {};
  let at = new Date(0);
  for (const name of Object.keys(expr)) {
    let v = name === "onNull" || name === "onError" ? undefined : evalExpr(doc, expr[name], options);
    if (name === "onNull" || name === "onError") {
      literal[name] = expr[name];
      continue;
    }
    if (nil(v)) return "onNull" in expr && dates.includes(name) ? evalExpr(doc, expr.onNull, options) : null;
    if (dates.includes(name)) at = v = instant(v);
    literal[name] = plain(v);
  }
  if ("timezone" in literal) literal.timezone = offset(literal.timezone, +at);
  const operands = {};
  for (const name of Object.keys(literal)) operands[name] = name === "onNull" || name === "onError" ? literal[name] : { $literal: literal[name] };
  return f(doc, operands, options);
};

// local calls one that reads a date of a place: the zone's offset is that at the date.
const local = (f) => (doc, expr, options) => {
  const named = isDocument(expr) && "timezone" in expr;
  if (!named) return given(f)(doc, expr, options);
  const zone = evalExpr(doc, expr.timezone, options);
  if (nil(zone)) return null;
  const { timezone, ...rest } = expr;
  const utc = given(f)(doc, rest, options);
  return utc instanceof Date ? given(f)(doc, { ...rest, timezone: { $literal: offset(zone, +utc) } }, options) : utc;
};

const minutes = (zone) => (zone[0] === "-" ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.replace(":", "").slice(3, 5) || 0));

// fromParts is a date of its parts, which may be out of their ranges and carry over.
function fromParts(doc, expr, options) {
  const v = {};
  for (const name of Object.keys(expr)) {
    const value = evalExpr(doc, expr[name], options);
    if (nil(value)) return null;
    v[name] = name === "timezone" ? value : plain(value);
    assert(name === "timezone" || Number.isInteger(v[name]), `'${name}' must evaluate to an integer, found ${typeName(value)}`);
  }
  const iso = "isoWeekYear" in v;
  assert(iso !== "year" in v, "$dateFromParts requires either 'year' or 'isoWeekYear' to be present");
  const d = new Date(0);
  if (iso) {
    d.setUTCFullYear(v.isoWeekYear, 0, 4); // which is always in the first week
    d.setUTCDate(d.getUTCDate() - ((d.getUTCDay() + 6) % 7) + ((v.isoWeek ?? 1) - 1) * 7 + (v.isoDayOfWeek ?? 1) - 1);
  } else d.setUTCFullYear(v.year, (v.month ?? 1) - 1, v.day ?? 1);
  d.setUTCHours(v.hour ?? 0, v.minute ?? 0, v.second ?? 0, v.millisecond ?? 0);
  return v.timezone === undefined ? d : new Date(+d - minutes(offset(v.timezone, +d)) * 60000);
}

// part calls one that takes a date apart, which stands alone, in a list, or by name.
const part = (f) => (doc, expr, options) => {
  if (isDocument(expr) && "date" in expr) return given(f)(doc, expr, options);
  const list = Array.isArray(expr) ? expr : [expr];
  assert(list.length === 1, `takes exactly 1 argument. ${list.length} were passed in.`);
  return given(f)(doc, { date: list[0] }, options);
};

// whole makes a result a long.
const whole = (f) => (doc, expr, options) => {
  const v = f(doc, expr, options);
  return typeof v === "number" && Number.isInteger(v) ? long(BigInt(v)) : v;
};

const parts = ["$year", "$month", "$dayOfMonth", "$dayOfWeek", "$dayOfYear", "$hour", "$minute", "$second", "$millisecond", "$isoDayOfWeek", "$isoWeek", "$isoWeekYear"];
const others = ["$dateAdd", "$dateSubtract", "$dateDiff", "$dateTrunc", "$dateToString", "$dateToParts"];
const all = (names, how) => Object.fromEntries(names.map((name) => [name, how(mingo[name])]));

export const operators = {
  ...all(parts, part),
  ...all(others, given),
  $dateDiff: whole(given(mingo.$dateDiff)),
  $isoWeekYear: whole(part(mingo.$isoWeekYear)),
  $dateFromString: local(mingo.$dateFromString),
  $dateFromParts: fromParts,
  $week: part((doc, date, options) => Math.floor((mingo.$dayOfYear(doc, date, options) + 7 - mingo.$dayOfWeek(doc, date, options)) / 7)),
};
