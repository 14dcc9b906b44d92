/** A text that is shown once, to be copied. */
import { CopyButton } from "./copy.tsx";

export function Secret({ text }: { text: string }) {
  return (
    <div className="flex items-center gap-2 rounded-md border border-line bg-sunken py-1.5 pr-1.5 pl-3">
      <code className="min-w-0 flex-1 text-xs break-all">{text}</code>
      <CopyButton text={text} label="Copy" />
    </div>
  );
}
