// Stages in which mingo 7 differs from MongoDB: in the order of fields, at arrays on a path, in documents that two results share, and in joins.

import { Aggregator } from "mingo/aggregator";
import { ComputeOptions, evalExpr } from "mingo/core/_internal";
import { Lazy } from "mingo/lazy";
import { $redact as mingoRedact } from "mingo/operators/pipeline";
import { assert } from "mingo/util";
import { compareValues, inner, isNumeric, keyText, truth } from "./values.js";
import { long } from "./numbers.js";
import { find, get, isDocument, put } from "./paths.js";

const isExpression = (spec) => !isDocument(spec) || Object.keys(spec)[0]?.[0] === "$";

// flatten lists the paths of a specification with the expression at each.
function flatten(spec, prefix, into) {
  for (const name of Object.keys(spec)) {
    if (isExpression(spec[name]) || Object.keys(spec[name]).length === 0) into.push([prefix + name, spec[name]]);
    else flatten(spec[name], prefix + name + ".", into);
  }
  return into;
}

export function $addFields(docs, spec, options) {
  const fields = flatten(spec, "", []);
  return docs.map((doc) => fields.reduce((out, [path, expr]) => put(out, path, evalExpr(doc, expr, options)), doc));
}

export { $addFields as $set };

export function $unset(docs, spec) {
  const paths = [].concat(spec);
  return docs.map((doc) => paths.reduce((out, path) => put(out, path, undefined), doc));
}

const isOff = (v) => v === false || (isNumeric(v) && !truth(v));
const isOn = (v) => v === true || (isNumeric(v) && truth(v));

// tree arranges a projection by field: each node has its children, or what is asked of the field.
function tree(paths) {
  const root = { children: new Map() };
  for (const [path, value] of paths) {
    let node = root;
    for (const part of path.split(".").map(inner)) {
      assert(node.children, `Path collision at ${path}`);
      if (!node.children.has(part)) node.children.set(part, { children: new Map() });
      node = node.children.get(part);
    }
    assert(node.children.size === 0, `Path collision at ${path}`);
    node.children = null;
    if (isOn(value)) node.keep = true;
    else if (isOff(value)) node.drop = true;
    else node.compute = { value };
  }
  return root;
}

const computes = (node) => !!node.compute || (!!node.children && [...node.children.values()].some(computes));

function include(v, node, compute) {
  if (Array.isArray(v)) return v.map((m) => include(m, node, compute)).filter((m) => m !== undefined);
  if (!isDocument(v) && !computes(node)) return undefined;
  const out = {};
  if (isDocument(v)) {
    for (const name of Object.keys(v)) {
      const child = node.children.get(name);
      if (child?.keep) out[name] = v[name];
      else if (child?.children) set(out, name, include(v[name], child, compute));
    }
  }
  for (const [name, child] of node.children) {
    if (child.compute) set(out, name, compute(child.compute.value));
    else if (!(isDocument(v) && name in v) && computes(child)) set(out, name, include(undefined, child, compute));
  }
  return out;
}

function set(out, name, value) {
  if (value !== undefined) out[name] = value;
}

function exclude(v, node) {
  if (Array.isArray(v)) return v.map((m) => exclude(m, node));
  if (!isDocument(v)) return v;
  const out = {};
  for (const name of Object.keys(v)) {
    const child = node.children.get(name);
    if (!child) out[name] = v[name];
    else if (child.children) out[name] = exclude(v[name], child);
  }
  return out;
}

export function $project(docs, spec, options) {
  const paths = flatten(spec, "", []);
  assert(paths.length > 0, "$project specification must have at least one field");
  const others = paths.filter(([path]) => path !== "_id");
  const id = paths.find(([path]) => path === "_id");
  if (others.every(([, value]) => isOff(value)) && (others.length > 0 || isOff(id[1]))) {
    const node = tree(paths.filter(([, value]) => isOff(value)));
    return docs.map((doc) => exclude(doc, node));
  }
  assert(!others.some(([, value]) => isOff(value)), "Invalid $project :: caused by :: Cannot do exclusion in inclusion projection");
  const whole = !id && !others.some(([path]) => path.startsWith("_id."));
  const node = tree(id && !isOff(id[1]) ? [id, ...others] : whole ? [["_id", true], ...others] : others);
  return docs.map((doc) => include(doc, node, (expr) => evalExpr(doc, expr, options)));
}

// sortKey is what a document is sorted by: of an array its smallest or largest member.
function sortKey(doc, path, direction) {
  const v = get(doc, path);
  if (!Array.isArray(v)) return v;
  if (v.length === 0) return undefined;
  return v.reduce((best, m) => (compareValues(m, best) * direction < 0 ? m : best));
}

function sorter(spec) {
  const by = Object.keys(spec).map((path) => [path, Number(spec[path]) < 0 ? -1 : 1]);
  assert(by.length > 0, "$sort stage must have at least one sort key");
  return (docs) => {
    const keyed = docs.map((doc) => ({ doc, keys: by.map(([path, direction]) => sortKey(doc, path, direction)) }));
    keyed.sort((a, b) => {
      for (let i = 0; i < by.length; i++) {
        const order = compareValues(a.keys[i], b.keys[i]) * by[i][1];
        if (order !== 0) return order;
      }
      return 0;
    });
    return keyed.map((k) => k.doc);
  };
}

export function $sort(docs, spec) {
  const sort = sorter(spec);
  return docs.transform((all) => Lazy(sort(all)));
}

export function $unwind(docs, spec) {
  if (typeof spec === "string") spec = { path: spec };
  assert(typeof spec.path === "string" && spec.path[0] === "$", "path option to $unwind stage should be prefixed with a '$'");
  const path = spec.path.slice(1), index = spec.includeArrayIndex;
  const numbered = (doc, i) => (index ? put(doc, index, i === null ? null : long(BigInt(i))) : doc);
  return docs.transform((all) => {
    const out = [];
    for (const doc of all) {
      const v = at(doc, path);
      if (Array.isArray(v) && v.length > 0) v.forEach((m, i) => out.push(numbered(put(doc, path, m), i)));
      else if (Array.isArray(v) || v === undefined || v === null) {
        if (spec.preserveNullAndEmptyArrays) out.push(numbered(Array.isArray(v) ? put(doc, path, undefined) : doc, null));
      } else out.push(numbered(doc, null));
    }
    return Lazy(out);
  });
}

// at follows a path through documents only.
function at(doc, path) {
  for (const part of path.split(".").map(inner)) {
    if (!isDocument(doc)) return undefined;
    doc = doc[part];
  }
  return doc;
}

// joined indexes documents by a field: each of its members, itself, and null where it is missing.
function joined(docs, field) {
  const index = new Map();
  for (const doc of docs) {
    const keys = new Set(localKeys(find(doc, field)));
    for (const key of keys) {
      if (!index.has(key)) index.set(key, []);
      index.get(key).push(doc);
    }
  }
  return index;
}

function localKeys(v) {
  const keys = [keyText(v ?? null)];
  if (Array.isArray(v)) for (const m of v) keys.push(keyText(m));
  return keys;
}

export function $lookup(docs, spec, options) {
  assert(typeof spec.as === "string", "must specify 'as' field for a $lookup");
  assert(!!spec.localField === !!spec.foreignField, "$lookup requires both or neither of 'localField' and 'foreignField' to be specified");
  assert(spec.localField || spec.pipeline, "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified");
  const foreign = spec.from === undefined ? [] : options.collectionResolver(spec.from);
  const index = spec.localField ? joined(foreign, spec.foreignField) : null;
  const numbers = new Map(foreign.map((doc, i) => [doc, i]));
  const candidates = (doc) => {
    if (!index) return foreign;
    const found = new Set();
    for (const key of localKeys(find(doc, spec.localField))) for (const other of index.get(key) ?? []) found.add(other);
    return [...found].sort((a, b) => numbers.get(a) - numbers.get(b));
  };
  const pipeline = spec.pipeline ? new Aggregator(spec.pipeline, options) : null;
  return docs.map((doc) => {
    let found = candidates(doc);
    if (pipeline) {
      const variables = { ...options.local?.variables };
      for (const name of Object.keys(spec.let ?? {})) variables[name] = evalExpr(doc, spec.let[name], options);
      found = pipeline.run(found, ComputeOptions.init(options).update({ root: null, variables }));
    }
    return put(doc, spec.as, found);
  });
}

// $facet keeps the variables of a $lookup around it.
export function $facet(docs, spec, options) {
  return docs.transform((all) => {
    const out = {};
    for (const name of Object.keys(spec)) out[name] = new Aggregator(spec[name], options).run(all, ComputeOptions.init(options).update({ root: null }));
    return Lazy([out]);
  });
}

// $redact leaves out the documents that are pruned.
export function $redact(docs, spec, options) {
  return mingoRedact(docs, spec, options).filter((doc) => doc !== undefined && doc !== null);
}

export function $sample(docs, spec) {
  return docs.transform((all) => {
    const rest = all.slice(), out = [];
    for (let n = Math.min(Number(spec.size), rest.length); n > 0; n--) out.push(...rest.splice(Math.floor(Math.random() * rest.length), 1));
    return Lazy(out);
  });
}

export function $bucket(docs, spec, options) {
  const bounds = spec.boundaries.map((b) => evalExpr({}, b, options));
  assert(bounds.length > 1 && bounds.every((b, i) => i === 0 || compareValues(bounds[i - 1], b) < 0), "The 'boundaries' option to $bucket must be sorted in ascending order, without duplicates");
  const group = options.context.getOperator("pipeline", "$group");
  const bucket = (doc) => {
    const v = evalExpr(doc, spec.groupBy, options);
    if (v !== undefined && compareValues(v, bounds[0]) >= 0) for (let i = 1; i < bounds.length; i++) if (compareValues(v, bounds[i]) < 0) return bounds[i - 1];
    assert("default" in spec, "$switch could not find a matching branch for an input, and no default was specified.");
    return spec.default;
  };
  return docs.transform((all) => {
    const groups = new Map();
    for (const doc of all) {
      const id = bucket(doc), key = keyText(id);
      if (!groups.has(key)) groups.set(key, { id, docs: [] });
      groups.get(key).docs.push(doc);
    }
    const sorted = [...groups.values()].sort((a, b) => compareValues(a.id, b.id));
    return Lazy(sorted.flatMap((g) => group(Lazy(g.docs), { _id: { $literal: g.id }, ...(spec.output ?? { count: { $sum: 1 } }) }, options).collect()));
  });
}

export function $sortByCount(docs, expr, options) {
  const group = options.context.getOperator("pipeline", "$group");
  return $sort(group(docs, { _id: expr, count: { $sum: 1 } }, options), { count: -1 });
}
