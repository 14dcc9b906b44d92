/** /v1/deployments/{deployment_id}/variables: what an environment's agents have in theirs. Values go in and never out. */
import { Type } from "typebox";
import { Variable } from "../../core/deployment.ts";
import { EnvironmentSchema } from "../../core/run.ts";
import { changeVariables, MAX_VALUE_CHARACTERS, MAX_VARIABLES } from "../../deploy/variables.ts";
import { lockDeployment } from "../../store/deployments.ts";
import { listVariables } from "../../store/variables.ts";
import { requireExisting } from "../auth.ts";
import { endpoint } from "../endpoint.ts";

const tag = "deployments";
const DeploymentPath = Type.Object({ deployment_id: Type.String() });
const Variables = Type.Object({ variables: Type.Array(Variable) });

export const list = endpoint(
  {
    summary: "The names of a deployment's environment variables",
    tag,
    params: DeploymentPath,
    query: Type.Object({ environment: Type.Optional(EnvironmentSchema) }, { additionalProperties: false }),
    answers: { 200: Variables },
  },
  async ({ app, params, query, principal }) => {
    await requireExisting(app, principal, params.deployment_id);
    const variables = await listVariables(app.node.database, params.deployment_id, query.environment);
    return { status: 200, body: { variables } };
  },
);

export const patch = endpoint(
  {
    summary: "Set variables of an environment, or remove them with null; new agent processes have them",
    tag,
    params: DeploymentPath,
    body: Type.Object(
      {
        environment: Type.Optional(EnvironmentSchema),
        variables: Type.Record(
          Type.String(),
          Type.Union([Type.String({ maxLength: MAX_VALUE_CHARACTERS }), Type.Null()]),
          { maxProperties: MAX_VARIABLES },
        ),
      },
      { additionalProperties: false },
    ),
    answers: { 200: Variables },
  },
  async ({ app, params, body, principal }) => {
    const { deployment_id } = params;
    await requireExisting(app, principal, deployment_id);
    const place = { deployment_id, environment: body.environment ?? "production" };
    const variables = await app.node.database.transaction(async (tx) => {
      await lockDeployment(tx, deployment_id);
      await changeVariables(tx, app.secrets, place, body.variables);
      return listVariables(tx, deployment_id, place.environment);
    });
    return { status: 200, body: { variables } };
  },
);
