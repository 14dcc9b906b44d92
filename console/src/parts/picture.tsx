/**
 * A picture that comes with its message; one from elsewhere is a link, since loading it would tell that address whatever a
 * model wrote into it.
 */
import { ExternalLink } from "lucide-react";

export function Picture({ url, description }: { url: string; description: string }) {
  if (url.startsWith("data:image/") || url.startsWith("blob:"))
    return <img src={url} alt={description} className="max-h-80 max-w-full rounded-lg border border-line" />;
  const host = URL.parse(url)?.host;
  if (!host) return <span className="text-ink-soft">{description}</span>;
  return (
    <a
      href={url}
      target="_blank"
      rel="noreferrer noopener"
      className="inline-flex items-center gap-1.5 self-start text-accent underline"
    >
      <ExternalLink size={13} aria-hidden />
      {description || "picture"} at {host}
    </a>
  );
}
