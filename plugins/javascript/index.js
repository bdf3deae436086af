// What a plugin says beside its ordinary answers, and its log. See index.d.ts for what each role is given and may answer.

/** An answer that ends the event or the output here. */
export class Drop {
  constructor(reason) {
    this.reason = String(reason);
  }
}

/** Thrown: the pass is to be run again. */
export class Retry extends Error {
  constructor(reason, afterMs) {
    super(reason);
    this.afterMs = afterMs;
  }
}

/** Thrown: the event will never do. */
export class Reject extends Error {}

/** The event or output ends here, for this reason. Nothing is wrong. */
export function drop(reason) {
  return new Drop(reason);
}

/** To be thrown: try the event again, not before `afterMs` milliseconds if that is given. */
export function retry(reason, { afterMs } = {}) {
  return new Retry(reason, afterMs);
}

/** To be thrown: the event is a dead letter at once, and can be replayed. */
export function reject(reason) {
  return new Reject(reason);
}
