/** Whether the page is looked at: a browser opens six connections to a server, and pages in the background keep none. */

export function isVisible(): boolean {
  return document.visibilityState === "visible";
}

/** Runs `follow` while the page is looked at: its signal aborts when it no longer is. Returns what ends it. */
export function whileVisible(follow: (signal: AbortSignal) => void): () => void {
  let leaving: AbortController | null = null;
  const look = () => {
    if (isVisible() && !leaving) {
      leaving = new AbortController();
      follow(leaving.signal);
    } else if (!isVisible()) {
      leaving?.abort();
      leaving = null;
    }
  };
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    document.removeEventListener("visibilitychange", look);
    leaving?.abort();
  };
}
