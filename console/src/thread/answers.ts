/** How a question can be answered: the shapes that frameworks ask in, and what each answer sends back. Pure. */
import { isObject, type Json, type JsonObject } from "../../../src/core/json.ts";

/** An action that waits for a decision. */
export type Action = { name: string; input: Json; description: string | null; allowed: Decision[] };
export type Decision = "approve" | "edit" | "reject" | "respond";

export type Question =
  /** Words, or a value without a known shape: any answer will do. */
  | { kind: "open"; text: string | null; value: Json }
  /** LangChain's request for a person's review, in its present or its earlier form. */
  | { kind: "review"; form: "decisions" | "responses"; actions: Action[] };

const TEXT_KEYS = ["question", "message", "prompt", "text", "description"];

export function questionIn(value: Json): Question {
  const decisions = decisionsAsked(value);
  if (decisions) return { kind: "review", form: "decisions", actions: decisions };
  const responses = responsesAsked(value);
  if (responses) return { kind: "review", form: "responses", actions: responses };
  if (typeof value === "string") return { kind: "open", text: value, value };
  if (isObject(value)) {
    const key = TEXT_KEYS.find((each) => typeof value[each] === "string");
    if (key !== undefined) return { kind: "open", text: String(value[key]), value };
  }
  return { kind: "open", text: null, value };
}

/** `{action_requests, review_configs}` of LangChain's human-in-the-loop middleware, in either spelling. */
function decisionsAsked(value: Json): Action[] | null {
  if (!isObject(value)) return null;
  const requests = value.action_requests ?? value.actionRequests;
  const configs = value.review_configs ?? value.reviewConfigs;
  if (!Array.isArray(requests) || requests.length === 0 || !requests.every(isObject)) return null;
  return requests.map((request) => {
    const config = (Array.isArray(configs) ? configs : [])
      .filter(isObject)
      .find((each) => (each.action_name ?? each.actionName) === request.name);
    const listed = config?.allowed_decisions ?? config?.allowedDecisions;
    const allowed = (["approve", "edit", "reject"] as const).filter(
      (each) => !Array.isArray(listed) || listed.includes(each),
    );
    return {
      name: String(request.name),
      input: request.args ?? {},
      description: textOrNull(request.description),
      allowed,
    };
  });
}

/** A list of `{action_request, config}`, or one alone, as LangGraph's Agent Inbox has them. */
function responsesAsked(value: Json): Action[] | null {
  const requests = Array.isArray(value) ? value : [value];
  const actions = requests.filter(isObject).flatMap((request): Action[] => {
    const action = request.action_request;
    if (!isObject(action)) return [];
    const config: JsonObject = isObject(request.config) ? request.config : {};
    const allowed: Decision[] = [];
    if (config.allow_accept !== false) allowed.push("approve");
    if (config.allow_edit !== false) allowed.push("edit");
    if (config.allow_respond !== false) allowed.push("respond");
    if (config.allow_ignore !== false) allowed.push("reject");
    return [
      {
        name: String(action.action),
        input: action.args ?? {},
        description: textOrNull(request.description),
        allowed,
      },
    ];
  });
  return actions.length > 0 && actions.length === requests.length ? actions : null;
}

function textOrNull(value: Json | undefined): string | null {
  return typeof value === "string" ? value : null;
}

export type Decided = { decision: Decision; input: Json; words: string };

/** What the agent gets for the decisions on the actions of one question. */
export function answerOf({ form, actions }: Extract<Question, { kind: "review" }>, decided: Decided[]): Json {
  if (form === "decisions")
    return {
      decisions: decided.map(({ decision, input, words }, i): JsonObject => {
        if (decision === "edit")
          return { type: "edit", edited_action: { name: actions[i]!.name, args: input } };
        if (decision === "reject") return { type: "reject", ...(words && { message: words }) };
        return { type: "approve" };
      }),
    };
  return decided.map(({ decision, input, words }, i): JsonObject => {
    if (decision === "edit") return { type: "edit", args: { action: actions[i]!.name, args: input } };
    if (decision === "respond") return { type: "response", args: words };
    if (decision === "reject") return { type: "ignore", args: null };
    return { type: "accept", args: null };
  });
}
