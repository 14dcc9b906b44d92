/** Markdown with tables and task lists. Raw HTML is shown as text, links open outside, addresses are checked. */
import { memo, type ReactNode } from "react";
import ReactMarkdown from "react-markdown";
import remarkGfm from "remark-gfm";
import { CopyButton } from "./copy.tsx";
import { Picture } from "./picture.tsx";

const plugins = [remarkGfm];

const Rendered = memo(function Rendered({ text }: { text: string }) {
  return (
    <ReactMarkdown
      remarkPlugins={plugins}
      components={{
        a: ({ href, children }) => (
          <a href={href} target="_blank" rel="noreferrer noopener">
            {children}
          </a>
        ),
        pre: ({ children }) => <CodeBlock>{children}</CodeBlock>,
        img: ({ src, alt }) => <Picture url={typeof src === "string" ? src : ""} description={alt ?? ""} />,
        table: ({ children }) => (
          <div className="table-scroll">
            <table>{children}</table>
          </div>
        ),
      }}
    >
      {text}
    </ReactMarkdown>
  );
});
export default Rendered;

function CodeBlock({ children }: { children?: ReactNode }) {
  const { className = "", children: code } = codeProps(children);
  const language = /language-(\S+)/.exec(className)?.[1];
  return (
    <figure className="my-2 overflow-hidden rounded-lg border border-line bg-sunken">
      <figcaption className="flex h-8 items-center justify-between border-b border-line pl-3 text-xs text-ink-soft">
        {language ?? "code"}
        <CopyButton text={String(code ?? "").replace(/\n$/, "")} label="Copy the code" className="size-7!" />
      </figcaption>
      <pre tabIndex={0} className="overflow-x-auto px-3 py-2 text-xs leading-5">
        {children}
      </pre>
    </figure>
  );
}

function codeProps(children: ReactNode): { className?: string; children?: ReactNode } {
  return typeof children === "object" && children !== null && "props" in children
    ? (children.props as { className?: string; children?: ReactNode })
    : {};
}
