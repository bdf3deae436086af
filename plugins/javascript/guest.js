// What stands between the host and a plugin's functions: it makes events of records, and answers of what a function returns.
//
// `weft plugin build` makes the component's entry from it; no plugin imports it.

import { Drop, Reject, Retry } from "./index.js";

/** The exports of a component for the functions of `plugin`; `host` has the functions `get` and `log`. */
export function roles(plugin, host) {
  const context = contextOf(host);
  const called = (role, answer) => (event, destinations) => {
    try {
      return answer(plugin[role](eventOf(event), context(), destinations?.map(destinationOf)));
    } catch (thrown) {
      throw failure(thrown);
    }
  };
  return {
    filter: { decide: called("filter", verdict) },
    transform: { transform: called("transform", outputs) },
    route: { route: called("route", targets) },
  };
}

/** The configuration is read at the first call: while the component is built there is none. */
function contextOf(host) {
  let context;
  return () => {
    if (context === undefined) {
      const line = (level) => (...parts) => host.log(level, parts.map(text).join(" "));
      const log = { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
      context = Object.freeze({ config: JSON.parse(host.get() || "{}"), log: Object.freeze(log) });
    }
    return context;
  };
}

function text(part) {
  return typeof part === "string" ? part : JSON.stringify(part) ?? String(part);
}

class Event {
  #data;
  #json;

  constructor(record) {
    this.id = record.id;
    this.output = record.output;
    this.type = record.eventType;
    this.source = record.source;
    this.contentType = record.contentType;
    this.receivedAt = record.receivedAt;
    this.orderingKey = record.orderingKey ?? null;
    this.headers = members(record.headers);
    this.attributes = members(record.attributes);
    this.#data = record.data;
  }

  /** The body as text; null where its content type or its bytes promise none. */
  get text() {
    return this.#data.tag === "text" ? this.#data.val : null;
  }

  /** The body as bytes; null where it is text. */
  get bytes() {
    return this.#data.tag === "binary" ? Uint8Array.from(this.#data.val) : null;
  }

  /** The body parsed, once; a body that is no JSON is a rejection. */
  get json() {
    if (this.#json === undefined) {
      if (this.text === null) {
        throw new Reject(`the body is ${this.contentType}, not JSON`);
      }
      try {
        this.#json = JSON.parse(this.text);
      } catch (error) {
        throw new Reject(`the body is not JSON: ${error.message}`);
      }
    }
    return this.#json;
  }
}

function eventOf(record) {
  return new Event(record);
}

function destinationOf(record) {
  return { name: record.name, kind: record.kind, labels: members(record.labels) };
}

/** A repeated header keeps its last value: in what arrives, the nearest sender has the last word. */
function members(pairs) {
  return Object.fromEntries(pairs.map(({ name, value }) => [name, value]));
}

function pairs(members = {}) {
  return Object.entries(members).map(([name, value]) => ({ name, value: String(value) }));
}

function verdict(answer) {
  if (answer instanceof Drop) {
    return { tag: "drop", val: answer.reason };
  }
  if (answer === true) {
    return { tag: "keep" };
  }
  if (answer === false) {
    return { tag: "drop", val: "the filter answered false" };
  }
  throw new TypeError(`filter returned ${kind(answer)}; it answers true, false or drop("why")`);
}

function outputs(answer) {
  if (answer instanceof Drop) {
    return { tag: "drop", val: answer.reason };
  }
  if (answer === undefined || answer === null) {
    return { tag: "events", val: [patch({})] };
  }
  return { tag: "events", val: (Array.isArray(answer) ? answer : [answer]).map((change) => patch(change)) };
}

function targets(answer) {
  if (answer instanceof Drop) {
    return { tag: "drop", val: answer.reason };
  }
  if (answer === undefined || answer === null) {
    throw new TypeError(`route returned ${kind(answer)}; it answers "subscribed", a target, a list of them or drop("why")`);
  }
  return { tag: "send", val: (Array.isArray(answer) ? answer : [answer]).map(target) };
}

const PATCH = ["type", "contentType", "orderingKey", "json", "text", "bytes", "headers", "attributes"];
const TARGET = ["to", "method", "path", "query", "delayMs"];

function target(answer) {
  if (typeof answer === "string") {
    return target({ to: answer === "subscribed" ? answer : { named: answer } });
  }
  const { to, method, path, query, delayMs, ...change } = known(answer, "a target", [...TARGET, ...PATCH]);
  return {
    to: recipients(to),
    change: patch(change),
    request: { method: method ?? null, path: path ?? null, query: query ?? null, delayMs: delayMs ?? null },
  };
}

function recipients(to) {
  if (to === "subscribed") {
    return { tag: "subscribed" };
  }
  if (typeof to?.named === "string") {
    return { tag: "named", val: to.named };
  }
  if (typeof to?.labelled === "object") {
    return { tag: "labelled", val: pairs(to.labelled) };
  }
  throw new TypeError('a target has `to`: "subscribed", { named: "…" } or { labelled: { … } }');
}

function patch(answer) {
  const change = known(answer, "a patch", PATCH);
  const headers = Object.entries(change.headers ?? {});
  return {
    eventType: change.type ?? null,
    contentType: change.contentType ?? null,
    orderingKey: change.orderingKey ?? null,
    data: payload(change),
    setHeaders: headers.filter(([, value]) => value !== null).map(([name, value]) => ({ name, value: String(value) })),
    removeHeaders: headers.filter(([, value]) => value === null).map(([name]) => name),
    setAttributes: pairs(change.attributes),
  };
}

function payload(change) {
  const given = ["json", "text", "bytes"].filter((key) => change[key] !== undefined);
  if (given.length > 1) {
    throw new TypeError(`a patch has one body: ${given.join(" or ")}`);
  }
  switch (given[0]) {
    case "json":
      return { tag: "text", val: JSON.stringify(change.json) };
    case "text":
      return { tag: "text", val: String(change.text) };
    case "bytes":
      return { tag: "binary", val: change.bytes };
    default:
      return null;
  }
}

/** A misspelt member would be an answer that does nothing, which nobody finds. */
function known(answer, what, members) {
  if (typeof answer !== "object" || answer === null) {
    throw new TypeError(`${what} is an object, not ${kind(answer)}`);
  }
  const unknown = Object.keys(answer).find((key) => !members.includes(key));
  if (unknown !== undefined) {
    throw new TypeError(`${what} has no member \`${unknown}\` (known: ${members.join(", ")})`);
  }
  return answer;
}

function kind(value) {
  return value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
}

/** What was thrown, as the contract's failure. What nobody meant to throw is a rejection that says where. */
function failure(thrown) {
  if (thrown instanceof Retry) {
    return { tag: "retry", val: { reason: thrown.message, afterMs: thrown.afterMs ?? null } };
  }
  if (thrown instanceof Reject) {
    return { tag: "reject", val: thrown.message };
  }
  const place = String(thrown?.stack ?? "").split("\n").map((line) => line.trim()).find((line) => line !== "");
  const words = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : `threw ${text(thrown)}`;
  return { tag: "reject", val: place === undefined ? words : `${words} (${place})` };
}
