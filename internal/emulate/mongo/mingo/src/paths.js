// Fields at paths with dots, read and set without a change to the documents that hold them.

import { Value, inner } from "./values.js";

export const isDocument = (v) => typeof v === "object" && v !== null && !(v instanceof Value) && !Array.isArray(v) && !(v instanceof Date) && !(v instanceof RegExp);

const split = (path) => path.split(".").map(inner);

// get follows a path as an expression does: through an array it is the array of what its documents have.
export function get(v, path) {
  return getAt(v, split(path), 0);
}

function getAt(v, parts, i) {
  if (i === parts.length) return v;
  if (Array.isArray(v)) {
    const found = [];
    for (const m of v) {
      const f = isDocument(m) || Array.isArray(m) ? getAt(m, parts, i) : undefined;
      if (f !== undefined) found.push(f);
    }
    return found;
  }
  return isDocument(v) ? getAt(v[parts[i]], parts, i + 1) : undefined;
}

// find follows a path as a query does: a number in it is an index of an array too.
export function find(v, path) {
  const parts = path.split(".");
  const at = (v, i) => {
    if (i === parts.length) return v;
    if (isDocument(v)) return at(v[inner(parts[i])], i + 1);
    if (!Array.isArray(v)) return undefined;
    if (/^\d+$/.test(parts[i]) && v.length > Number(parts[i])) return at(v[Number(parts[i])], i + 1);
    return v.filter(isDocument).map((m) => at(m, i)).filter((m) => m !== undefined);
  };
  return at(v, 0);
}

// put returns a document with the value at a path, in each document of an array on the way. undefined removes the field.
export function put(doc, path, value) {
  return putAt(doc, split(path), 0, value);
}

function putAt(v, parts, i, value) {
  if (i === parts.length) return value;
  if (Array.isArray(v)) return v.map((m) => putAt(m, parts, i, value));
  const out = isDocument(v) ? { ...v } : {};
  if (value === undefined && (!isDocument(v) || !(parts[i] in v))) return v;
  const set = putAt(out[parts[i]], parts, i + 1, value);
  if (set === undefined) delete out[parts[i]];
  else out[parts[i]] = set;
  return out;
}
