// Keeps orders from a total on, and marks them as large.

import { type Context, type Drop, drop, type Event, type Patch, reject } from "weft-plugin";

interface Order {
  id: string;
  total?: number;
}

interface Config {
  min_total?: number;
}

export function filter(event: Event<Order>, { config }: Context<Config>): boolean | Drop {
  const { total } = event.json;
  if (typeof total !== "number") {
    throw reject("the order has no total");
  }
  const least = config.min_total ?? 0;
  return total >= least || drop(`a total of ${total} is below ${least}`);
}

export function transform(event: Event<Order>): Patch {
  return { json: { ...event.json, large: true }, attributes: { size: "large" } };
}
