/** The files a run left, with a look at those that can be shown. */
import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useEffect, useState } from "react";
import type { Artifact } from "../../../src/core/artifact.ts";
import { isOver } from "../../../src/core/moves.ts";
import type { Run } from "../../../src/core/run.ts";
import { client, keys } from "../api.ts";
import { Button } from "../parts/button.tsx";
import { EmptyState } from "../parts/empty_state.tsx";
import { ErrorNote } from "../parts/error_note.tsx";
import { Markdown } from "../parts/markdown.tsx";
import { SkeletonRows } from "../parts/skeleton.tsx";

const MOST_TEXT_BYTES = 512 * 1024;
const MOST_PICTURE_BYTES = 20 * 1024 * 1024;

export function Artifacts({ run }: { run: Run }) {
  const list = useQuery({
    queryKey: keys.artifacts(run.id),
    queryFn: async ({ signal }) => (await client.listArtifacts(run.id, { signal })).artifacts,
    enabled: isOver(run.status),
  });
  const [open, setOpen] = useState<string | null>(null);
  if (list.isError)
    return (
      <div className="p-5">
        <ErrorNote error={list.error} retry={() => void list.refetch()} />
      </div>
    );
  if (!isOver(run.status))
    return (
      <EmptyState title="The run is not over">
        <p>Its files are taken in when it ends.</p>
      </EmptyState>
    );
  if (!list.data) return <SkeletonRows rows={3} />;
  if (list.data.length === 0)
    return (
      <EmptyState title="This run left no files">
        <p>An agent leaves files in the folder that the variable CREWSHIP_ARTIFACTS names.</p>
      </EmptyState>
    );
  return (
    <ul aria-label="Files">
      {list.data.map((artifact) => (
        <li key={artifact.name} className="border-b border-line">
          <div className="flex min-h-11 items-center gap-3 px-4 sm:px-5">
            <button
              type="button"
              data-row
              aria-expanded={open === artifact.name}
              onClick={() => setOpen(open === artifact.name ? null : artifact.name)}
              className="min-w-0 flex-1 truncate py-2 text-left font-mono text-xs hover:underline"
            >
              {artifact.name}
            </button>
            <span className="hidden text-xs text-ink-soft sm:block">{artifact.content_type}</span>
            <span className="numeric text-xs text-ink-soft">{sizeText(artifact.size)}</span>
            <a
              href={addressOf(run.id, artifact.name)}
              download
              aria-label={`Download ${artifact.name}`}
              className="inline-flex size-8 items-center justify-center rounded-md text-ink-soft hover:bg-hover hover:text-ink"
            >
              <Download size={15} strokeWidth={1.75} aria-hidden />
            </a>
          </div>
          {open === artifact.name && <Preview run_id={run.id} artifact={artifact} />}
        </li>
      ))}
    </ul>
  );
}

function addressOf(run_id: string, name: string): string {
  return `/v1/runs/${encodeURIComponent(run_id)}/artifacts/${name.split("/").map(encodeURIComponent).join("/")}`;
}

function Preview({ run_id, artifact: { name, size, content_type } }: { run_id: string; artifact: Artifact }) {
  const isPicture = /^image\/(png|jpeg|gif|webp|avif)/.test(content_type) && size <= MOST_PICTURE_BYTES;
  const isText = /^text\/|json|xml|yaml|toml|javascript/.test(content_type) && size <= MOST_TEXT_BYTES;
  const file = useQuery({
    queryKey: [...keys.artifacts(run_id), name],
    queryFn: async ({ signal }) => {
      const response = await client.downloadArtifact(run_id, name, { signal });
      return isPicture ? { blob: await response.blob() } : { text: await response.text() };
    },
    enabled: isPicture || isText,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (!isPicture && !isText)
    return (
      <p className="px-5 pb-3 text-ink-soft">
        There is no preview of this kind or size of file.{" "}
        <a className="text-accent underline" href={addressOf(run_id, name)} download>
          Download it
        </a>
        .
      </p>
    );
  if (file.isError)
    return (
      <div className="px-5 pb-3">
        <ErrorNote error={file.error} retry={() => void file.refetch()} />
      </div>
    );
  if (!file.data) return <div className="skeleton mx-5 mb-3 h-24" />;
  return (
    <div className="mx-4 mb-4 max-h-[60vh] overflow-auto rounded-lg border border-line bg-panel sm:mx-5">
      {file.data.blob && <Picture blob={file.data.blob} name={name} />}
      {file.data.text !== undefined && (
        <Text text={file.data.text} isMarkdown={/markdown/.test(content_type)} />
      )}
    </div>
  );
}

function Picture({ blob, name }: { blob: Blob; name: string }) {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return <img src={url} alt={name} className="max-w-full" />;
}

function Text({ text, isMarkdown }: { text: string; isMarkdown: boolean }) {
  const [asSource, setAsSource] = useState(false);
  if (!isMarkdown) return <pre className="p-4 text-xs leading-5 whitespace-pre-wrap">{text}</pre>;
  return (
    <div className="relative p-4">
      <Button weight="quiet" className="absolute top-2 right-2" onClick={() => setAsSource(!asSource)}>
        {asSource ? "As a document" : "As source"}
      </Button>
      {asSource ? (
        <pre className="text-xs leading-5 whitespace-pre-wrap">{text}</pre>
      ) : (
        <Markdown text={text} />
      )}
    </div>
  );
}

function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
