/** What the node has counted and timed. It tells of all deployments, so it is for keys that reach all. */
import { Type } from "typebox";
import { Problem } from "../../core/problem.ts";
import { endpoint } from "../endpoint.ts";

const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export const metrics = endpoint(
  {
    summary: "Counters and times, as Prometheus reads them or as JSON",
    tag: "health",
    query: Type.Object(
      { format: Type.Optional(Type.Enum(["prometheus", "json"])) },
      { additionalProperties: false },
    ),
    answers: { 200: Type.Unsafe<unknown>({ description: "Prometheus text, or a list of metrics" }) },
  },
  async ({ app: { node }, principal, query }) => {
    if (principal.deployment_ids !== null)
      throw new Problem("forbidden", {
        message: "Metrics tell of all deployments. Use a key that is not limited to some of them.",
      });
    if (query.format === "json") return { status: 200, body: await node.metrics.json(node) };
    const text = await node.metrics.text(node);
    return { status: 200, headers: { "content-type": PROMETHEUS_TYPE }, body: text };
  },
);
