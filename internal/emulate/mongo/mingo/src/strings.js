// Expressions over strings, which MongoDB counts in code points or in bytes of UTF-8.

import { assert } from "mingo/util";
import { Value, isNumeric, typeName } from "./values.js";
import { numberOf, plain } from "./numbers.js";

const nil = (v) => v === undefined || v === null || typeName(v) === "undefined";

// text is a value as string operators take it that know no other type.
export function text(name, v) {
  if (nil(v)) return "";
  const type = typeName(v);
  if (type === "date") return v.toISOString();
  assert(["string", "symbol", "int", "long", "double", "decimal"].includes(type), `can't convert from BSON type ${type} to String`);
  return v instanceof Value ? v.text : String(v);
}

function string(name, v) {
  assert(typeof v === "string", `${name} requires a string argument, found: ${typeName(v)}`);
  return v;
}

function count(name, v, least) {
  assert(isNumeric(v) && Number.isInteger(numberOf(v)), `${name}: argument must be a number that is an integer, not of type ${typeName(v)}`);
  const n = plain(v);
  assert(n >= least, `${name}: argument must be nonnegative, not ${n}`);
  return n;
}

const points = (s) => Array.from(s);
const bytes = (s) => unescape(encodeURIComponent(s));
const fromBytes = (name, b) => {
  try {
    return decodeURIComponent(escape(b));
  } catch {
    throw new Error(`${name}: Invalid range, starting or ending in the middle of a UTF-8 character.`);
  }
};

function substrBytes(name, [v, from, length]) {
  const s = bytes(text(name, v)), [start, n] = [from, length].map((v) => (assert(isNumeric(v), `${name}: starting index and length must be numeric types, not ${typeName(v)}`), Math.trunc(plain(v))));
  if (start < 0 || start > s.length) return "";
  return fromBytes(name, n < 0 ? s.slice(start) : s.slice(start, start + n));
}

function indexOf(name, units, [v, part, from, to]) {
  if (nil(v)) return null;
  const s = units(string(name, v)), p = units(string(name, part));
  const start = nil(from) ? 0 : count(name, from, 0), end = Math.min(s.length, nil(to) ? s.length : count(name, to, 0));
  for (let i = start; i + p.length <= end; i++) {
    let j = 0;
    while (j < p.length && s[i + j] === p[j]) j++;
    if (j === p.length) return i;
  }
  return -1;
}

const whitespace = "\0\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a";

function trim(name, input, chars, left, right) {
  if (nil(input) || chars === null) return null;
  const s = points(string(name, input)), cut = new Set(points(chars === undefined ? whitespace : string(name, chars)));
  let from = 0, to = s.length;
  while (left && from < to && cut.has(s[from])) from++;
  while (right && to > from && cut.has(s[to - 1])) to--;
  return s.slice(from, to).join("");
}

const trimmed = (name, left, right) => ({ names: ["input", "chars"], f: ({ input, chars, has }) => trim(name, input, has("chars") && nil(chars) ? null : chars, left, right) });

function pattern(name, regex, options, global) {
  const [source, own] = regex instanceof RegExp ? [regex.source, regex.flags] : [string(name, regex), ""];
  assert(!own || nil(options) || options === "", `${name}: found regex option(s) specified in both 'regex' and 'option' fields`);
  const flags = (own || (nil(options) ? "" : string(name, options))).replace("u", "");
  assert(/^[ims]*$/.test(flags), `${name}: invalid flag in regex options: ${flags}`);
  return new RegExp(source, flags + (global ? "g" : ""));
}

function found(name, input, regex, options, all) {
  if (nil(input) || nil(regex)) return [];
  const r = pattern(name, regex, options, true), out = [], s = string(name, input);
  for (let m = r.exec(s); m !== null; m = r.exec(s)) {
    out.push({ match: m[0], idx: points(s.slice(0, m.index)).length, captures: m.slice(1).map((c) => c ?? null) });
    if (!all) break;
    if (m[0] === "") r.lastIndex++;
  }
  return out;
}

const matched = (name, f) => ({ names: ["input", "regex", "options"], f: ({ input, regex, options }) => f(name, input, regex, options) });

const replaced = (name, all) => ({
  names: ["input", "find", "replacement"],
  f({ input, find, replacement }) {
    for (const v of [input, find, replacement]) assert(nil(v) || typeof v === "string", `${name} requires strings, found: ${typeName(v)}`);
    if (nil(input) || nil(find) || nil(replacement)) return null;
    if (find === "" && all) return replacement + points(input).map((c) => c + replacement).join("");
    if (all) return input.split(find).join(replacement);
    const at = input.indexOf(find);
    return at < 0 ? input : input.slice(0, at) + replacement + input.slice(at + find.length);
  },
});

// listed take their operands in a list: [least, most, f].
export const listed = {
  $concat: [0, Infinity, (list) => {
    if (list.some(nil)) return null;
    for (const v of list) assert(typeof v === "string", `$concat only supports strings, not ${typeName(v)}`);
    assert(list.reduce((n, v) => n + v.length, 0) <= 64 << 20, "$concat: the string would be past the 64MB limit");
    return list.join("");
  }],
  $indexOfCP: [2, 4, (list) => indexOf("$indexOfCP", points, list)],
  $indexOfBytes: [2, 4, (list) => indexOf("$indexOfBytes", bytes, list)],
  $split: [2, 2, ([v, by]) => {
    if (nil(v) || nil(by)) return null;
    assert(string("$split", by) !== "", "$split requires a non-empty separator");
    return string("$split", v).split(by);
  }],
  $strcasecmp: [2, 2, (list) => {
    const [a, b] = list.map((v) => text("$strcasecmp", v).toUpperCase());
    return a < b ? -1 : a > b ? 1 : 0;
  }],
  $strLenBytes: [1, 1, ([v]) => bytes(string("$strLenBytes", v)).length],
  $strLenCP: [1, 1, ([v]) => points(string("$strLenCP", v)).length],
  $substr: [3, 3, (list) => substrBytes("$substrBytes", list)],
  $substrBytes: [3, 3, (list) => substrBytes("$substrBytes", list)],
  $substrCP: [3, 3, ([v, from, length]) => {
    const start = count("$substrCP", from, 0), n = count("$substrCP", length, 0);
    return points(text("$substrCP", v)).slice(start, start + n).join("");
  }],
  $toLower: [1, 1, ([v]) => text("$toLower", v).replace(/[A-Z]/g, (c) => c.toLowerCase())],
  $toUpper: [1, 1, ([v]) => text("$toUpper", v).replace(/[a-z]/g, (c) => c.toUpperCase())],
};

// named take their operands by name.
export const named = {
  $trim: trimmed("$trim", true, true),
  $ltrim: trimmed("$ltrim", true, false),
  $rtrim: trimmed("$rtrim", false, true),
  $regexMatch: matched("$regexMatch", (...a) => found(...a, false).length > 0),
  $regexFind: matched("$regexFind", (...a) => found(...a, false)[0] ?? null),
  $regexFindAll: matched("$regexFindAll", (...a) => found(...a, true)),
  $replaceOne: replaced("$replaceOne", false),
  $replaceAll: replaced("$replaceAll", true),
};
