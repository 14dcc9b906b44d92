/** A page that could not be shown: most often a part of a build that an update of the server has replaced. */
import type { ErrorComponentProps } from "@tanstack/react-router";
import { Button } from "../parts/button.tsx";
import { EmptyState } from "../parts/empty_state.tsx";
import { messageOf } from "../parts/error_note.tsx";

export function Broken({ error }: ErrorComponentProps) {
  const message = messageOf(error);
  const isPart = /dynamically imported module|preload/i.test(message);
  return (
    <div role="alert">
      <EmptyState title={isPart ? "A part of the console did not come" : "This page could not be shown"}>
        <p>
          {isPart
            ? "The server was away, or has been updated since this page was opened. Load the page anew; nothing is lost."
            : message}
        </p>
        <Button weight="primary" onClick={() => location.reload()}>
          Load anew
        </Button>
      </EmptyState>
    </div>
  );
}
