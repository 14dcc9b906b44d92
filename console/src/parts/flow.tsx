/** A drawing of boxes and arrows, laid out from top to bottom, to be moved and zoomed. Loaded with the first drawing. */
import dagre from "@dagrejs/dagre";
import {
  Background,
  BaseEdge,
  Controls,
  type Edge,
  type EdgeProps,
  MarkerType,
  type Node,
  ReactFlow,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import { type ReactNode, useMemo } from "react";
import "./flow.css";

export type FlowNode = {
  id: string;
  label: ReactNode;
  /** For those who do not see the drawing. */
  description: string;
  tone: "plain" | "end" | "selected" | "marked";
};
export type FlowEdge = { source: string; target: string; dashed?: boolean; label?: string | undefined };

const HEIGHT_PX = 34;

type Point = { x: number; y: number };
type RoutedEdge = Edge<{ points: Point[] }, "routed">;

/** An edge along the points the layout found for it, so that one that leads back goes around and not through. */
function Routed({ data, label, markerEnd, style }: EdgeProps<RoutedEdge>) {
  const { points } = data!;
  const { x, y } = points[Math.floor(points.length / 2)]!;
  return (
    <BaseEdge
      path={smooth(points)}
      label={label}
      labelX={x}
      labelY={y}
      labelBgPadding={[4, 2]}
      {...(markerEnd !== undefined && { markerEnd })}
      {...(style && { style })}
    />
  );
}

/** Straight at both ends, rounded at the points between. */
function smooth(points: Point[]): string {
  const [first, ...rest] = points;
  const last = rest.pop()!;
  const turns = rest.map((point, i) => {
    const next = rest[i + 1];
    const end = next ? { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 } : last;
    return `Q${point.x} ${point.y} ${end.x} ${end.y}`;
  });
  return `M${first!.x} ${first!.y}${turns.join("")}${turns.length === 0 ? `L${last.x} ${last.y}` : ""}`;
}

const edgeTypes = { routed: Routed };

export default function Flow({
  nodes,
  edges,
  widthPx = 132,
  onSelect,
  label,
}: {
  nodes: FlowNode[];
  edges: FlowEdge[];
  widthPx?: number;
  onSelect?: (id: string) => void;
  label: string;
}) {
  const laidOut = useMemo(() => layOut(nodes, edges, widthPx), [nodes, edges, widthPx]);
  return (
    <div className="flow h-full min-h-0 w-full flex-1" role="group" aria-label={label}>
      <ReactFlow
        nodes={laidOut.nodes}
        edges={laidOut.edges}
        edgeTypes={edgeTypes}
        fitView
        fitViewOptions={{ maxZoom: 1, padding: 0.15 }}
        minZoom={0.1}
        nodesDraggable={false}
        nodesConnectable={false}
        elementsSelectable={onSelect !== undefined}
        nodesFocusable={onSelect !== undefined}
        edgesFocusable={false}
        onNodeClick={(_, { id }) => onSelect?.(id)}
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={18} size={1} color="var(--line)" />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}

function layOut(
  nodes: FlowNode[],
  edges: FlowEdge[],
  widthPx: number,
): { nodes: Node[]; edges: RoutedEdge[] } {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 28, ranksep: 52, edgesep: 28 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of nodes) graph.setNode(id, { width: widthPx, height: HEIGHT_PX });
  for (const [i, { source, target }] of edges.entries())
    graph.setEdge(source, target, { width: 1, height: 1 }, String(i));
  dagre.layout(graph);
  return {
    nodes: nodes.map(({ id, label, description, tone }) => {
      const { x, y } = graph.node(id) as { x: number; y: number };
      return {
        id,
        position: { x: x - widthPx / 2, y: y - HEIGHT_PX / 2 },
        data: { label },
        ariaLabel: description,
        className: `flow-${tone}`,
        style: { width: widthPx, height: HEIGHT_PX },
      };
    }),
    edges: edges.map(({ source, target, dashed, label }, i) => ({
      id: String(i),
      type: "routed" as const,
      source,
      target,
      data: { points: (graph.edge({ v: source, w: target, name: String(i) }) as { points: Point[] }).points },
      ...(label !== undefined && { label }),
      ...(dashed && { style: { strokeDasharray: "4 4" } }),
      markerEnd: { type: MarkerType.ArrowClosed, color: "var(--line-strong)", width: 14, height: 14 },
    })),
  };
}
