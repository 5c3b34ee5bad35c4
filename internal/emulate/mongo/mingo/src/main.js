// What the Go side calls: pipelines, queries and positions in arrays, over documents that it has made into JavaScript's.

import { Aggregator } from "mingo/aggregator";
import { Context } from "mingo/core/_internal";
import * as accumulators from "mingo/operators/accumulator";
import * as pipeline from "mingo/operators/pipeline";
import * as projection from "mingo/operators/projection";
import * as query from "mingo/operators/query";
import * as window from "mingo/operators/window";
import { Query } from "mingo/query";
import { expressions } from "./expressions.js";
import { queries } from "./queries.js";
import { zones } from "./dates.js";
import * as stages from "./stages.js";
import { get, put } from "./paths.js";
import { Numeric, Value, collate } from "./values.js";

const { $merge, $out, $lookup, ...mingoStages } = pipeline; // which write, and which is our own
const { $accumulator, $top, $bottom, ...otherAccumulators } = accumulators;
const one = (f) => (docs, expr, options) => f(docs, expr, options)[0];
const safeAccumulators = { ...otherAccumulators, $top: one($top), $bottom: one($bottom) };
const { $function, $toHashedIndexKey, ...otherExpressions } = expressions; // whose hash is not MongoDB's
const safeExpressions = {
  ...otherExpressions,
  $function(doc, expr, options) { // of $setWindowFields, which makes it itself
    if (typeof expr.body !== "function") throw new Error("unregistered operator: $function");
    return $function(doc, expr, options);
  },
};
const { $where, ...safeQueries } = query;

const context = Context.init({
  accumulator: safeAccumulators,
  expression: safeExpressions,
  pipeline: { ...mingoStages, ...stages },
  projection,
  query: { ...safeQueries, ...queries },
  window,
});

const optionsOf = (given) => ({ context, scriptEnabled: true, collectionResolver: given?.collection, variables: given?.variables });

export function aggregate(docs, stages, given) {
  collate(given?.collate ?? null, given?.collationKey);
  return new Aggregator(stages, optionsOf(given)).run(docs);
}

// matching lists the indexes of the documents that a query finds.
export function matching(docs, condition, given) {
  collate(given?.collate ?? null, given?.collationKey);
  const q = new Query(condition, optionsOf(given));
  const found = [];
  docs.forEach((doc, i) => {
    if (q.test(doc)) found.push(i);
  });
  return found;
}

// position is that of the first member of an array which a query asks for, or -1: what the positional operator $ stands for.
export function position(doc, condition, path) {
  const asked = {};
  collect(condition, path, asked);
  const list = get(doc, path);
  if (!Array.isArray(list) || Object.keys(asked).length === 0) return -1;
  const q = new Query(asked, optionsOf());
  return list.findIndex((m) => q.test(put({}, path, [m])));
}

function collect(condition, path, into) {
  for (const key of Object.keys(condition)) {
    if (key === path || key.startsWith(path + ".")) into[key] = condition[key];
    else if (key === "$and") for (const part of condition.$and) collect(part, path, into);
  }
}

export { Numeric, Value, zones };
