/** One message: who says it, the words, pictures, and the tools it calls. */
import { memo } from "react";
import { classNames } from "../parts/class_names.ts";
import { CopyButton } from "../parts/copy.tsx";
import { JsonTree } from "../parts/json_tree.tsx";
import { Markdown } from "../parts/markdown.tsx";
import { Picture } from "../parts/picture.tsx";
import type { ShownMessage } from "./messages.ts";
import { ToolCall } from "./tool_call.tsx";

export const Message = memo(function Message({
  message,
  streaming = false,
  running = false,
}: {
  message: ShownMessage;
  /** Its words are still coming. */
  streaming?: boolean;
  /** Its run goes on, so a tool without an answer may still get one. */
  running?: boolean;
}) {
  const { who, name, text, pictures, others, tools } = message;
  const isUser = who === "user";
  return (
    <article
      className={classNames("group relative flex flex-col gap-2", isUser && "items-end")}
      aria-label={label(message)}
    >
      {!isUser && (name !== null || who !== "agent") && (
        <p className="text-xs text-ink-faint">{name ?? who}</p>
      )}
      {(text !== "" || streaming) && (
        <div
          className={classNames(
            "relative min-w-0",
            isUser ? "max-w-[85%] rounded-2xl rounded-br-md bg-accent-soft px-3.5 py-2" : "w-full",
            who === "system" && "rounded-lg border border-line px-3 py-2 text-ink-soft",
          )}
        >
          {isUser ? (
            <p className="text-base break-words whitespace-pre-wrap">{text}</p>
          ) : (
            <Markdown text={text} />
          )}
          {streaming && (
            <span aria-hidden className="breathing ml-0.5 inline-block h-3.5 w-1.5 bg-live align-middle" />
          )}
        </div>
      )}
      {pictures.map(({ url, description }) => (
        <Picture key={url.slice(0, 200)} url={url} description={description} />
      ))}
      {others.length > 0 && <JsonTree value={others} openDepth={0} label="Other parts of the message" />}
      {tools.map((tool) => (
        <div key={tool.id} className="w-full">
          <ToolCall
            name={tool.name}
            input={tool.input}
            output={tool.output}
            failed={tool.failed ?? false}
            running={running && tool.output === undefined}
          />
        </div>
      ))}
      {!isUser && text !== "" && !streaming && (
        <CopyButton
          text={text}
          label="Copy the message"
          className="absolute! top-0 -right-8 size-7! opacity-0 group-hover:opacity-100 focus-visible:opacity-100 max-sm:hidden"
        />
      )}
    </article>
  );
});

function label({ who, name }: ShownMessage): string {
  return who === "user" ? "You" : (name ?? (who === "agent" ? "Agent" : who));
}
