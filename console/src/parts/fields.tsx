/** Fields of forms: their label above, what they mean below, all of one height. */
import type {
  InputHTMLAttributes,
  ReactNode,
  Ref,
  SelectHTMLAttributes,
  TextareaHTMLAttributes,
} from "react";
import { classNames } from "./class_names.ts";

const box =
  "w-full rounded-md border border-line-strong bg-panel px-2.5 text-sm text-ink placeholder:text-ink-faint focus:border-accent focus:outline-none focus-visible:outline-2 focus-visible:outline-offset-0 disabled:text-ink-faint";

export function Field({
  label,
  hint,
  children,
}: {
  label: ReactNode;
  hint?: ReactNode;
  children: ReactNode;
}) {
  return (
    <div>
      {/* biome-ignore lint/a11y/noLabelWithoutControl: the control is the child */}
      <label className="block">
        <span className="mb-1 block font-medium text-ink">{label}</span>
        {children}
      </label>
      {hint !== undefined && <p className="mt-1 text-xs text-ink-soft">{hint}</p>}
    </div>
  );
}

export function Input({
  className,
  ...rest
}: InputHTMLAttributes<HTMLInputElement> & { ref?: Ref<HTMLInputElement> }) {
  return <input className={classNames(box, "h-8 max-sm:h-9", className)} {...rest} />;
}

export function Textarea({
  className,
  ...rest
}: TextareaHTMLAttributes<HTMLTextAreaElement> & { ref?: Ref<HTMLTextAreaElement> }) {
  return <textarea className={classNames(box, "block py-1.5", className)} {...rest} />;
}

export function Select({ className, children, ...rest }: SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <select className={classNames(box, "h-8 w-auto pr-7 max-sm:h-9", className)} {...rest}>
      {children}
    </select>
  );
}
