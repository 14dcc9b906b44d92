/** Buttons: one form, four weights. */
import type { LucideIcon } from "lucide-react";
import type { ButtonHTMLAttributes, Ref } from "react";
import { classNames } from "./class_names.ts";

const weights = {
  primary:
    "bg-accent text-on-accent hover:bg-accent-strong border-transparent disabled:bg-hover disabled:text-ink-faint",
  plain:
    "bg-panel text-ink border-line-strong hover:bg-hover disabled:text-ink-faint disabled:hover:bg-panel",
  quiet: "text-ink-soft border-transparent hover:bg-hover hover:text-ink disabled:text-ink-faint",
  danger: "bg-panel text-bad border-line-strong hover:bg-bad-soft hover:border-bad disabled:text-ink-faint",
};

type Props = ButtonHTMLAttributes<HTMLButtonElement> & {
  weight?: keyof typeof weights;
  icon?: LucideIcon;
  ref?: Ref<HTMLButtonElement>;
};

export function Button({ weight = "plain", icon: Icon, className, children, ref, ...rest }: Props) {
  return (
    <button
      type="button"
      ref={ref}
      className={classNames(
        "inline-flex h-8 shrink-0 items-center justify-center gap-1.5 rounded-md border px-2.5 text-sm font-medium whitespace-nowrap transition-colors max-sm:h-9",
        weights[weight],
        className,
      )}
      {...rest}
    >
      {Icon && <Icon size={15} strokeWidth={1.75} aria-hidden />}
      {children}
    </button>
  );
}

type IconProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  icon: LucideIcon;
  /** What it does: its name for everybody who does not see the icon. */
  label: string;
  ref?: Ref<HTMLButtonElement>;
};

export function IconButton({ icon: Icon, label, className, ref, ...rest }: IconProps) {
  return (
    <button
      type="button"
      ref={ref}
      aria-label={label}
      title={label}
      className={classNames(
        "inline-flex size-8 shrink-0 items-center justify-center rounded-md text-ink-soft transition-colors hover:bg-hover hover:text-ink disabled:text-ink-faint max-sm:size-9",
        className,
      )}
      {...rest}
    >
      <Icon size={16} strokeWidth={1.75} aria-hidden />
    </button>
  );
}
