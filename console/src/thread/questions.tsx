/** What the agent stopped to ask, as a form: approve, edit, reject, or any answer. One run sends the answers. */
import { CircleHelp } from "lucide-react";
import { useState } from "react";
import { resumeValue } from "../../../src/client/chat_messages.ts";
import { isObject, type Json, type JsonObject } from "../../../src/core/json.ts";
import type { Interrupt } from "../../../src/core/thread.ts";
import { Button } from "../parts/button.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Field, Input, Textarea } from "../parts/fields.tsx";
import { JsonEditor, jsonText, parseJson } from "../parts/json_editor.tsx";
import { JsonTree } from "../parts/json_tree.tsx";
import { type Action, answerOf, type Decided, type Decision, type Question, questionIn } from "./answers.ts";

type Props = {
  interrupts: Interrupt[];
  /** They have been answered once already: another answer opens a branch. */
  wasAnswered: boolean;
  /** Rejects with why the server refused. */
  onAnswer: (resume: Json) => Promise<void>;
};

export function Questions({ interrupts, wasAnswered, onAnswer }: Props) {
  const [answers, setAnswers] = useState<Readonly<Record<string, Json>>>({});
  const [refusal, setRefusal] = useState<unknown>(null);
  const [sending, setSending] = useState(false);
  const send = async (resume: Json) => {
    setRefusal(null);
    setSending(true);
    try {
      await onAnswer(resume);
    } catch (error) {
      setRefusal(error);
      setSending(false);
    }
  };
  const isOne = interrupts.length === 1;
  const answered = interrupts.filter(({ id }) => id in answers).length;
  return (
    <section
      aria-label="Questions of the agent"
      className="max-h-[60vh] shrink-0 overflow-auto border-t border-ask/40 bg-ask-soft"
    >
      <div className="mx-auto flex max-w-3xl flex-col gap-3 px-4 py-3 sm:px-6">
        <h2 className="flex items-center gap-2 font-semibold text-ask">
          <CircleHelp size={16} strokeWidth={1.75} aria-hidden />
          {wasAnswered
            ? "The agent asked here; another answer opens a branch"
            : isOne
              ? "The agent asks"
              : `The agent asks ${interrupts.length} questions`}
        </h2>
        {interrupts.map((interrupt) => (
          <OneQuestion
            key={interrupt.id}
            interrupt={interrupt}
            isAnswered={interrupt.id in answers}
            disabled={sending}
            onAnswer={(answer) =>
              isOne ? void send(answer) : setAnswers({ ...answers, [interrupt.id]: answer })
            }
          />
        ))}
        {refusal !== null && <ErrorNote error={refusal} />}
        {!isOne && (
          <div className="flex items-center justify-end gap-3">
            <span className="text-ink-soft">
              {answered === interrupts.length
                ? "All answered"
                : `${answered} answered; the others are asked again`}
            </span>
            <Button
              weight="primary"
              disabled={answered === 0 || sending}
              onClick={() => void send(answers as JsonObject)}
            >
              Send {answered === 1 ? "the answer" : `${answered} answers`}
            </Button>
          </div>
        )}
      </div>
    </section>
  );
}

function OneQuestion({
  interrupt,
  isAnswered,
  disabled,
  onAnswer,
}: {
  interrupt: Interrupt;
  isAnswered: boolean;
  disabled: boolean;
  onAnswer: (answer: Json) => void;
}) {
  const question = questionIn(interrupt.value);
  return (
    <div className="flex flex-col gap-3 rounded-lg border border-line bg-panel p-3.5">
      {(interrupt.task !== undefined || isAnswered) && (
        <p className="flex justify-between text-xs text-ink-faint">
          <span>{interrupt.task}</span>
          {isAnswered && <span className="text-good">answered; change it as long as it is not sent</span>}
        </p>
      )}
      {question.kind === "review" ? (
        <Review question={question} disabled={disabled} onAnswer={onAnswer} />
      ) : (
        <Open question={question} disabled={disabled} onAnswer={onAnswer} />
      )}
    </div>
  );
}

type AnswerProps<K extends Question["kind"]> = {
  question: Extract<Question, { kind: K }>;
  disabled: boolean;
  onAnswer: (answer: Json) => void;
};

function Open({ question: { text, value }, disabled, onAnswer }: AnswerProps<"open">) {
  const [words, setWords] = useState("");
  const [edited, setEdited] = useState<string | null>(null);
  const [mistake, setMistake] = useState<string | null>(null);
  const rest = text !== null && isObject(value) ? Object.keys(value).length > 1 : text === null;
  const sendEdited = () => {
    const parsed = parseJson(edited ?? "");
    if ("mistake" in parsed) setMistake(parsed.mistake);
    else onAnswer(parsed.value);
  };
  return (
    <>
      {text !== null && <p className="text-base whitespace-pre-wrap">{text}</p>}
      {rest && edited === null && (
        <JsonTree value={value} openDepth={2} label="What the agent sent with it" />
      )}
      {edited !== null ? (
        <>
          <JsonEditor value={edited} onChange={setEdited} label="Answer as JSON" onSubmit={sendEdited} />
          {mistake !== null && <p className="text-bad">{mistake}</p>}
          <div className="flex justify-end gap-2">
            <Button weight="quiet" onClick={() => setEdited(null)}>
              Back
            </Button>
            <Button weight="primary" disabled={disabled} onClick={sendEdited}>
              Send as answer
            </Button>
          </div>
        </>
      ) : (
        <form
          className="flex flex-col gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            if (words.trim() !== "") onAnswer(resumeValue(words.trim()));
          }}
        >
          <div className="flex gap-2">
            <Input
              aria-label="Answer"
              value={words}
              onChange={({ target }) => setWords(target.value)}
              placeholder="Your answer: words, or JSON"
            />
            <Button type="submit" weight="primary" disabled={disabled || words.trim() === ""}>
              Answer
            </Button>
          </div>
          <div className="flex flex-wrap gap-2">
            <Button disabled={disabled} onClick={() => onAnswer(true)} title="Answers true">
              Approve
            </Button>
            <Button disabled={disabled} onClick={() => onAnswer(false)} title="Answers false">
              Reject
            </Button>
            <Button
              disabled={disabled}
              onClick={() => setEdited(jsonText(value))}
              title="Answers with an edited copy of what the agent sent"
            >
              Edit…
            </Button>
          </div>
        </form>
      )}
    </>
  );
}

const verbs: Record<Decision, string> = {
  approve: "Approve",
  edit: "Edit",
  reject: "Reject",
  respond: "Respond",
};

function Review({ question, disabled, onAnswer }: AnswerProps<"review">) {
  const { actions } = question;
  const [decided, setDecided] = useState<readonly (Decided | undefined)[]>(actions.map(() => undefined));
  const decide = (i: number, decision: Decided | undefined) => {
    const next = decided.with(i, decision);
    setDecided(next);
    if (next.every((each) => each !== undefined)) onAnswer(answerOf(question, next as Decided[]));
  };
  return actions.map((action, i) => (
    <ReviewedAction
      // biome-ignore lint/suspicious/noArrayIndexKey: decisions are given in the order of the actions
      key={i}
      action={action}
      decided={decided[i]}
      disabled={disabled}
      onDecide={(decision) => decide(i, decision)}
    />
  ));
}

function ReviewedAction({
  action,
  decided,
  disabled,
  onDecide,
}: {
  action: Action;
  decided: Decided | undefined;
  disabled: boolean;
  onDecide: (decided: Decided | undefined) => void;
}) {
  const [open, setOpen] = useState<"edit" | "reject" | "respond" | null>(null);
  const [text, setText] = useState(jsonText(action.input));
  const [words, setWords] = useState("");
  const [mistake, setMistake] = useState<string | null>(null);
  const give = (decision: Decision) => {
    if (decision !== "approve" && open !== decision) return setOpen(decision);
    const parsed = parseJson(text);
    if (decision === "edit" && "mistake" in parsed) return setMistake(parsed.mistake);
    onDecide({ decision, input: "value" in parsed ? parsed.value : null, words: words.trim() });
  };
  if (decided)
    return (
      <p className="flex items-center justify-between">
        <span>
          <span className="font-mono text-xs">{action.name}</span>: {verbs[decided.decision].toLowerCase()}
        </span>
        <Button weight="quiet" disabled={disabled} onClick={() => onDecide(undefined)}>
          Change
        </Button>
      </p>
    );
  return (
    <div className="flex flex-col gap-2">
      <p className="font-mono text-xs font-medium">{action.name}</p>
      {action.description !== null && (
        <p className="whitespace-pre-wrap text-ink-soft">{action.description}</p>
      )}
      {open === "edit" ? (
        <JsonEditor
          value={text}
          onChange={setText}
          label={`Input of ${action.name}`}
          onSubmit={() => give("edit")}
        />
      ) : (
        <JsonTree value={action.input} openDepth={2} label={`Input of ${action.name}`} />
      )}
      {(open === "reject" || open === "respond") && (
        <Field label={open === "reject" ? "Why not? The agent reads it." : "What to tell the agent"}>
          <Textarea rows={2} value={words} onChange={({ target }) => setWords(target.value)} />
        </Field>
      )}
      {mistake !== null && <p className="text-bad">{mistake}</p>}
      <div className="flex flex-wrap justify-end gap-2">
        {open !== null && (
          <Button weight="quiet" onClick={() => setOpen(null)}>
            Back
          </Button>
        )}
        {action.allowed
          .filter((decision) => open === null || decision === open)
          .map((decision) => (
            <Button
              key={decision}
              weight={decision === "approve" || decision === open ? "primary" : "plain"}
              disabled={disabled}
              onClick={() => give(decision)}
            >
              {open === decision && decision === "edit" ? "Send edited" : verbs[decision]}
            </Button>
          ))}
      </div>
    </div>
  );
}
