/** The way in: an API key, given once, kept by the server in a cookie that no script can read. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { keys, signIn } from "../api.ts";
import { Button } from "../parts/button.tsx";
import { CommandLine } from "../parts/empty_state.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Field, Input } from "../parts/fields.tsx";
import { Mark } from "./mark.tsx";

export function SignIn() {
  const [key, setKey] = useState("");
  const cache = useQueryClient();
  const signing = useMutation({
    mutationFn: () => signIn(key.trim()),
    onSuccess: (session) => {
      // What another key was shown is not this one's to see.
      cache.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.session[0] });
      cache.setQueryData(keys.session, session);
    },
  });
  useEffect(() => {
    document.title = "Sign in · Crewship";
  }, []);
  return (
    <main className="flex min-h-full items-center justify-center p-4">
      <form
        className="flex w-full max-w-sm flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          if (key.trim() !== "") signing.mutate();
        }}
      >
        <div className="flex flex-col gap-3">
          <Mark size={36} />
          <div>
            <h1 className="text-xl font-semibold tracking-tight">Sign in to Crewship</h1>
            <p className="mt-1 text-ink-soft">With an API key of this server.</p>
          </div>
        </div>
        <Field label="API key">
          <Input
            type="password"
            name="api_key"
            autoComplete="current-password"
            autoFocus
            spellCheck={false}
            placeholder="csk_…"
            value={key}
            onChange={(event) => setKey(event.target.value)}
            className="h-9 font-mono"
          />
        </Field>
        {signing.isError && <ErrorNote error={signing.error} />}
        <Button
          type="submit"
          weight="primary"
          className="h-9"
          disabled={signing.isPending || key.trim() === ""}
        >
          Sign in
        </Button>
        <div className="flex flex-col gap-2 border-t border-line pt-4 text-ink-soft">
          <p>No key at hand? On the server’s machine, this makes one:</p>
          <CommandLine>crewship keys create --name console</CommandLine>
        </div>
      </form>
    </main>
  );
}
