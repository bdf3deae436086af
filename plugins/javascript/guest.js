// What stands between the host and a plugin's functions: it makes events of records, and answers of what a function returns.
//
// `weft plugin build` makes the component's entry from it; no plugin imports it.

import { Drop, Reject, Retry } from "./index.js";

/**
 * The exports of a component for the functions of `plugin`; `host` has the functions `get` and `log`, and under the names of the
 * interfaces what plugin.json wants.
 */
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
      context = { config: JSON.parse(host.get() || "{}"), log: Object.freeze(log) };
      for (const [name, made] of Object.entries(GRANTED)) {
        // Whatever is not wanted is not there, and says what to do about it.
        Object.defineProperty(context, name, { get: () => granted(host, name, made) });
      }
      Object.freeze(context);
    }
    return context;
  };
}

function granted(host, name, made) {
  if (host[name] === undefined) {
    throw new Error(`the plugin does not want ${name}: add "${name}" to "wants" in plugin.json and build it again`);
  }
  return made(host[name]);
}

/** What a step grants, from the functions of its interface. */
const GRANTED = {
  kv: (kv) => ({
    get(key) {
      const value = kv.get(String(key));
      return value === undefined || value === null ? null : JSON.parse(utf8.decode(value));
    },
    set(key, value, { ttlSeconds } = {}) {
      const text = JSON.stringify(value);
      if (text === undefined) {
        throw new TypeError(`${kind(value)} cannot be kept: a value is JSON`);
      }
      const why = refused(() => kv.set(String(key), utf8.encode(text), ttlSeconds));
      if (why === "full") {
        throw new Retry("the plugin keeps as much as it may (kv_entries_max, kv_bytes_max)");
      }
      if (why !== undefined) {
        throw new RangeError(`the ${why} is too long to be kept`);
      }
    },
    delete: (key) => kv.delete(String(key)),
  }),
  clock: (clock) => ({ now: () => clock.now(), unixMs: () => clock.unixMs() }),
  random: (random) => ({ bytes: (count) => Uint8Array.from(random.bytes(count)) }),
  metrics: (metrics) => ({ count: (name, delta = 1) => metrics.count(String(name), delta) }),
  secrets: (secrets) => ({
    hmacSha256(name, data) {
      let mac;
      const bytes = typeof data === "string" ? utf8.encode(data) : data;
      const why = refused(() => { mac = secrets.hmacSha256(String(name), bytes); });
      return secret(name, why, () => Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(""));
    },
    reveal(name) {
      let text;
      const why = refused(() => { text = secrets.reveal(String(name)); });
      return secret(name, why, () => text);
    },
  }),
};

function secret(name, why, answer) {
  if (why === "hidden") {
    throw new Reject(`the step does not let the secret ${name} be read: reveal = true would`);
  }
  if (why !== undefined) {
    throw new Reject(`the step names no secret ${name}`);
  }
  return answer();
}

/** Why the host refused a call, in the contract's word; nothing if it did not. */
function refused(call) {
  try {
    const answer = call();
    return answer?.tag === "err" ? answer.val : undefined;
  } catch (thrown) {
    const why = thrown?.payload ?? thrown?.val ?? thrown;
    if (typeof why === "string") {
      return why;
    }
    throw thrown;
  }
}

/** Text as bytes and back: QuickJS has no TextEncoder. */
const utf8 = {
  encode(text) {
    const escaped = encodeURIComponent(text);
    const bytes = [];
    for (let at = 0; at < escaped.length; at += 1) {
      if (escaped[at] === "%") {
        bytes.push(parseInt(escaped.slice(at + 1, at + 3), 16));
        at += 2;
      } else {
        bytes.push(escaped.charCodeAt(at));
      }
    }
    return Uint8Array.from(bytes);
  },
  decode(bytes) {
    const escaped = Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`);
    return decodeURIComponent(escaped.join(""));
  },
};

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
