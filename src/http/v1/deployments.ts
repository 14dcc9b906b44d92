/** /v1/deployments: which agents this server runs. */
import { randomBytes } from "node:crypto";
import { Type } from "typebox";
import { Deployment, DeploymentName, frameworks } from "../../core/deployment.ts";
import { prefixedId } from "../../core/ids.ts";
import type { Json } from "../../core/json.ts";
import { Problem } from "../../core/problem.ts";
import { once } from "../../engine/once.ts";
import { createDeployment, listDeployments } from "../../store/deployments.ts";
import { requireDeployment } from "../auth.ts";
import { endpoint } from "../endpoint.ts";

const tag = "deployments";

export const create = endpoint(
  {
    summary: "Make a deployment, for versions to be sent to",
    tag,
    body: Type.Object(
      { name: DeploymentName, framework: Type.Enum([...frameworks]) },
      { additionalProperties: false },
    ),
    answers: { 201: Deployment },
  },
  async ({ app, body, principal, attempt }) => {
    if (principal.deployment_ids !== null)
      throw new Problem("forbidden", {
        message: "This key is for some deployments only, and cannot make others.",
      });
    const deployment = await app.node.database.transaction((tx) =>
      once(tx, attempt, async () => {
        const deployment_id = prefixedId("dep", randomBytes(12));
        if (!(await createDeployment(tx, { deployment_id, ...body })))
          throw new Problem("deployment_exists", { name: body.name });
        const [made] = await listDeployments(tx, { deployment_ids: [deployment_id] });
        return made as unknown as Json;
      }),
    );
    return { status: 201, body: deployment };
  },
);

export const list = endpoint(
  {
    summary: "List deployments",
    tag,
    answers: { 200: Type.Object({ deployments: Type.Array(Deployment) }) },
  },
  async ({ app, principal }) => {
    const deployments = await listDeployments(app.node.database, {
      ...(principal.deployment_ids === null ? {} : { deployment_ids: principal.deployment_ids }),
    });
    return { status: 200, body: { deployments } };
  },
);

export const get = endpoint(
  {
    summary: "Get a deployment",
    tag,
    params: Type.Object({ deployment_id: Type.String() }),
    answers: { 200: Deployment },
  },
  async ({ app, params, principal }) => {
    requireDeployment(principal, params.deployment_id);
    const [deployment] = await listDeployments(app.node.database, { deployment_ids: [params.deployment_id] });
    if (!deployment) throw new Problem("not_found", { what: "deployment", id: params.deployment_id });
    return { status: 200, body: deployment };
  },
);
