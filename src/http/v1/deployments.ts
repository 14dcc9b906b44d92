/** /v1/deployments: which agents this server runs. */
import { Type } from "typebox";
import { Deployment } from "../../core/deployment.ts";
import { Problem } from "../../core/problem.ts";
import { listDeployments } from "../../store/deployments.ts";
import { requireDeployment } from "../auth.ts";
import { endpoint } from "../endpoint.ts";

const tag = "deployments";

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
