// Keeps orders from a total on, and marks them as large.

import { drop, reject } from "weft-plugin";

export function filter(event, { config }) {
  const { total } = event.json;
  if (typeof total !== "number") {
    throw reject("the order has no total");
  }
  const least = config.min_total ?? 0;
  return total >= least || drop(`a total of ${total} is below ${least}`);
}

export function transform(event) {
  return { json: { ...event.json, large: true }, attributes: { size: "large" } };
}
