// Uses everything that a step may grant; what came of it are attributes.

export function transform(event, { kv, clock, random, metrics, secrets }) {
  const { id, number } = event.json;
  if (id === "full") kv.set("another", 1);
  if (id === "reveal") secrets.reveal("pepper");
  if (id === "unknown") secrets.hmacSha256("other", "salt");
  const seen = kv.get(id);
  kv.set(id, `größe ${number}`, { ttlSeconds: 60 });
  kv.delete("nothing there");
  metrics.count("orders");
  return {
    attributes: {
      seen: seen ?? "",
      now: clock.now(),
      unix_ms: clock.unixMs(),
      random: random.bytes(4).length,
      mac: secrets.hmacSha256("pepper", "salt"),
    },
  };
}
