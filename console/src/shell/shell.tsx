/** What is around every page: the way between pages, what the server's silence looks like, and the palette. */
import { useQuery } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import { keys, readSession } from "../api.ts";
import { useChanges } from "../changes.ts";
import { useConnection } from "../connection.ts";
import { ErrorNote } from "../parts/error_note.tsx";
import { SessionProvider } from "../session.tsx";
import { isTyping } from "./keyboard.ts";
import { Navigation, PhoneNavigation } from "./navigation.tsx";
import { SignIn } from "./sign_in.tsx";

const loadPalette = () => import("./palette.tsx");
const Palette = lazy(loadPalette);

const PALETTE_MS = 1_500;

export function Shell() {
  const session = useQuery({
    queryKey: keys.session,
    queryFn: readSession,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (session.isPending) return <Waiting />;
  if (session.isError) return <Unreadable error={session.error} retry={() => void session.refetch()} />;
  if (session.data === null) return <SignIn />;
  return (
    <SessionProvider value={session.data}>
      <Frame />
    </SessionProvider>
  );
}

function Frame() {
  useChanges();
  const [paletteOpen, setPaletteOpen] = useState(false);
  useEffect(() => {
    // Once the page stands: whoever opens it types at once. What fails here is tried again then.
    const timer = setTimeout(() => loadPalette().catch(() => undefined), PALETTE_MS);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key === "k") {
        event.preventDefault();
        setPaletteOpen((open) => !open);
      } else if (event.key === "/" && !isTyping(event) && !event.metaKey && !event.ctrlKey) {
        const search = document.querySelector<HTMLInputElement>("[data-search]");
        event.preventDefault();
        if (search) search.focus();
        else setPaletteOpen(true);
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  return (
    <div className="flex h-full flex-col md:flex-row">
      <a
        href="#content"
        className="sr-only z-50 rounded-md bg-panel px-3 py-2 shadow-float focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to the content
      </a>
      <Navigation onSearch={() => setPaletteOpen(true)} />
      <main id="content" tabIndex={-1} className="flex min-h-0 min-w-0 flex-1 flex-col outline-none">
        <ConnectionNote />
        <div className="min-h-0 flex-1">
          <Outlet />
        </div>
      </main>
      <PhoneNavigation onSearch={() => setPaletteOpen(true)} />
      {paletteOpen && (
        <Suspense>
          <Palette onClose={() => setPaletteOpen(false)} />
        </Suspense>
      )}
    </div>
  );
}

function ConnectionNote() {
  const silent = useConnection() === "silent";
  return (
    <div role="status" className="shrink-0">
      {silent && (
        <p className="border-b border-ask/30 bg-ask-soft px-5 py-1.5 text-ink">
          The server does not answer. Trying again until it does; nothing is lost.
        </p>
      )}
    </div>
  );
}

function Waiting() {
  return (
    <div className="flex h-full" aria-busy="true">
      <div className="hidden w-50 border-r border-line md:block" />
    </div>
  );
}

function Unreadable({ error, retry }: { error: unknown; retry: () => void }) {
  return (
    <main className="mx-auto max-w-md p-6">
      <ErrorNote error={error} retry={retry} />
    </main>
  );
}
