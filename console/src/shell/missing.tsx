/** An address that leads nowhere. */
import { Link } from "@tanstack/react-router";
import { EmptyState } from "../parts/empty_state.tsx";

export function Missing() {
  return (
    <EmptyState title="There is no such page">
      <p>The address may be cut off, or from another version of Crewship.</p>
      <Link to="/threads" className="font-medium text-accent underline">
        To the threads
      </Link>
    </EmptyState>
  );
}
