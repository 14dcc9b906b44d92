/** The way between the pages: at the side, or on a phone at the foot. */
import { Link } from "@tanstack/react-router";
import {
  Boxes,
  LogOut,
  type LucideIcon,
  MessagesSquare,
  Monitor,
  Moon,
  Play,
  Search,
  Server,
  Sun,
} from "lucide-react";
import { signOut } from "../api.ts";
import { IconButton } from "../parts/button.tsx";
import { classNames } from "../parts/class_names.ts";
import { chooseTheme, type Theme, themes, useTheme } from "../theme.ts";
import { Mark } from "./mark.tsx";

const places = [
  { to: "/threads", name: "Threads", icon: MessagesSquare },
  { to: "/runs", name: "Runs", icon: Play },
  { to: "/deployments", name: "Deployments", icon: Boxes },
  { to: "/operations", name: "Operations", icon: Server },
] as const;

const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);

export function Navigation({ onSearch }: { onSearch: () => void }) {
  return (
    <div className="hidden w-50 shrink-0 flex-col border-r border-line bg-sunken md:flex">
      <Link to="/threads" className="flex h-13 items-center gap-2.5 px-4 font-semibold tracking-tight">
        <Mark />
        Crewship
      </Link>
      <div className="px-3 pb-3">
        <button
          type="button"
          onClick={onSearch}
          className="flex h-8 w-full items-center gap-2 rounded-md border border-line-strong bg-panel px-2.5 text-ink-soft hover:bg-hover"
        >
          <Search size={14} aria-hidden />
          <span className="flex-1 text-left">Go to…</span>
          <kbd className="text-xs text-ink-faint">{isMac ? "⌘K" : "Ctrl K"}</kbd>
        </button>
      </div>
      <nav aria-label="Pages" className="flex flex-1 flex-col gap-0.5 px-3">
        {places.map(({ to, name, icon: Icon }) => (
          <Link
            key={to}
            to={to}
            className="flex h-8 items-center gap-2.5 rounded-md px-2.5 font-medium text-ink-soft hover:bg-hover hover:text-ink aria-[current=page]:bg-hover aria-[current=page]:text-ink"
          >
            <Icon size={16} strokeWidth={1.75} aria-hidden />
            {name}
          </Link>
        ))}
      </nav>
      <div className="flex items-center justify-between px-3 py-3">
        <ThemeChoice />
        <IconButton icon={LogOut} label="Sign out" onClick={() => void leave()} />
      </div>
    </div>
  );
}

export function PhoneNavigation({ onSearch }: { onSearch: () => void }) {
  return (
    <nav
      aria-label="Pages"
      className="flex shrink-0 border-t border-line bg-sunken pb-[env(safe-area-inset-bottom)] md:hidden"
    >
      {places.map(({ to, name, icon }) => (
        <Link key={to} to={to} className={classNames(phoneItem, "aria-[current=page]:text-accent")}>
          <PhoneFace icon={icon} name={name} />
        </Link>
      ))}
      <button type="button" onClick={onSearch} className={phoneItem}>
        <PhoneFace icon={Search} name="Go to" />
      </button>
    </nav>
  );
}

const phoneItem =
  "flex h-13 flex-1 flex-col items-center justify-center gap-0.5 text-[10.5px]/[14px] font-medium text-ink-soft";

function PhoneFace({ icon: Icon, name }: { icon: LucideIcon; name: string }) {
  return (
    <>
      <Icon size={18} strokeWidth={1.75} aria-hidden />
      {name}
    </>
  );
}

const themeIcons: Record<Theme, LucideIcon> = { system: Monitor, light: Sun, dark: Moon };
const themeNames: Record<Theme, string> = { system: "Theme of the system", light: "Light", dark: "Dark" };

function ThemeChoice() {
  const theme = useTheme();
  return (
    <fieldset className="flex rounded-md border border-line-strong bg-panel">
      <legend className="sr-only">Theme</legend>
      {themes.map((each) => (
        <IconButton
          key={each}
          icon={themeIcons[each]}
          label={themeNames[each]}
          aria-pressed={theme === each}
          onClick={() => chooseTheme(each)}
          className="size-7! aria-pressed:bg-hover aria-pressed:text-ink"
        />
      ))}
    </fieldset>
  );
}

export async function leave(): Promise<void> {
  await signOut();
  location.assign("/console/");
}
