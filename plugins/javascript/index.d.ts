// Weft plugins: what a role is given, and what it may answer. A plugin exports one or more of the functions `filter`,
// `transform` and `route`.

/** An event on its way through the steps. */
export interface Event<Json = any> {
  /** `evt_…`: the same for all passes, outputs and replays of the event. */
  readonly id: string;
  /** 0, or from 1 on the place of this output after an earlier step has split the event. */
  readonly output: number;
  /** What happened, like `order.created`. */
  readonly type: string;
  /** The source through which it came in. */
  readonly source: string;
  readonly contentType: string;
  /** When Weft accepted it: RFC 3339 in UTC. */
  readonly receivedAt: string;
  readonly orderingKey: string | null;
  /** Inbound headers in lower case, only those that the step names. */
  readonly headers: Readonly<Record<string, string>>;
  /** What earlier steps set. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The body as text, null if it is none. */
  readonly text: string | null;
  /** The body as bytes, null if it is text. */
  readonly bytes: Uint8Array | null;
  /** The body as JSON; an event whose body is none is rejected. */
  readonly json: Json;
}

/** What surrounds a call. */
export interface Context<Config = any> {
  /** The step's configuration. */
  readonly config: Config;
  /** Lines for the trace of the event. They are stored: write no body and no secret. */
  readonly log: Readonly<Record<"debug" | "info" | "warn" | "error", (...parts: unknown[]) => void>>;
  /** What follows must be among `wants` in plugin.json, and the step must grant it; else it throws. */
  readonly kv: Kv;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly secrets: Secrets;
}

/**
 * Values that the plugin keeps from event to event, for this tenant alone. A pass reads its own writes; they are stored when the event
 * ends routed or dropped, and not at all if the pass runs again or ends dead.
 */
export interface Kv {
  /** The JSON value under `key`, null if there is none that has not expired. */
  get(key: string): any;
  /** Keeps a JSON value of up to 64 KiB under a key of up to 256 bytes, for ever or so many seconds. Asks for a retry where there is no room. */
  set(key: string, value: unknown, options?: { ttlSeconds?: number }): void;
  delete(key: string): void;
}

/** The time; without it, a plugin has the event's `receivedAt`. */
export interface Clock {
  /** RFC 3339 in UTC with milliseconds. */
  now(): string;
  /** Milliseconds since 1970. */
  unixMs(): number;
}

/** Dice that nobody can foresee. */
export interface Random {
  /** At most 4096 bytes. */
  bytes(count: number): Uint8Array;
}

/** Counters in the engine's metrics. */
export interface Metrics {
  /** Adds to a counter; names are 1 to 64 of a-z, 0-9 and _. */
  count(name: string, delta?: number): void;
}

/** The secrets that the step names. One that it does not name is a rejection. */
export interface Secrets {
  /** HMAC with SHA-256 in hexadecimal; the secret stays with the host. */
  hmacSha256(name: string, data: string | Uint8Array): string;
  /** The secret's text, if the step lets it be read. */
  reveal(name: string): string;
}

/** What changes; whatever is absent stays as it is. */
export interface Patch {
  type?: string;
  contentType?: string;
  orderingKey?: string;
  /** Another body; one of `json`, `text` and `bytes`. */
  json?: unknown;
  text?: string;
  bytes?: Uint8Array;
  /** Headers of the outgoing request; null takes one back that an earlier step set. */
  headers?: Record<string, string | null>;
  /** For later steps and the trace. */
  attributes?: Record<string, string>;
}

/** A destination as a route may see it. */
export interface Destination {
  readonly name: string;
  readonly kind: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One choice of a route: whom, with which changes for them alone. */
export interface Target extends Patch {
  to: "subscribed" | { named: string } | { labelled: Record<string, string> };
  method?: "POST" | "PUT" | "PATCH" | "DELETE" | "GET";
  path?: string;
  query?: string;
  delayMs?: number;
}

export class Drop {
  readonly reason: string;
}
export class Retry extends Error {}
export class Reject extends Error {}

/** The event or output ends here, for this reason. Nothing is wrong. */
export function drop(reason: string): Drop;
/** To be thrown: run the pass again. */
export function retry(reason: string, options?: { afterMs?: number }): Retry;
/** To be thrown: the event is a dead letter at once. What else is thrown is taken for it, with its place. */
export function reject(reason: string): Reject;

/** `true` keeps the event. */
export type Filter<Json = any, Config = any> = (event: Event<Json>, context: Context<Config>) => boolean | Drop;
/** Nothing leaves the event as it is, a list splits it. */
export type Transform<Json = any, Config = any> =
  (event: Event<Json>, context: Context<Config>) => Patch | Patch[] | Drop | void;
/** A text that is not `subscribed` names a destination. */
export type Route<Json = any, Config = any> = (
  event: Event<Json>,
  context: Context<Config>,
  destinations: readonly Destination[],
) => string | Target | (string | Target)[] | Drop;
