/** A message's words: markdown, without HTML of its own. The parser is loaded with the first message. */
import { lazy, Suspense } from "react";

const Rendered = lazy(() => import("./markdown_rendered.tsx"));

export function Markdown({ text }: { text: string }) {
  return (
    <div className="prose-message min-w-0 text-base break-words text-ink">
      <Suspense fallback={<p className="whitespace-pre-wrap">{text}</p>}>
        <Rendered text={text} />
      </Suspense>
    </div>
  );
}
