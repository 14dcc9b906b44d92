/** Where something will be: bars of its size, so that nothing moves when it comes. */

const widths = ["62%", "48%", "71%", "55%", "66%", "44%"];

export function SkeletonRows({ rows, height = 44 }: { rows: number; height?: number }) {
  return (
    <div aria-busy="true" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: bars have no other identity
        <div key={i} className="flex items-center border-b border-line px-4" style={{ height }}>
          <div className="skeleton h-3" style={{ width: widths[i % widths.length] }} />
        </div>
      ))}
    </div>
  );
}
