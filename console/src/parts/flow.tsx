/** A drawing of boxes and arrows, laid out from top to bottom, to be moved and zoomed. Loaded with the first drawing. */
import dagre from "@dagrejs/dagre";
import { Background, Controls, type Edge, MarkerType, type Node, ReactFlow } from "@xyflow/react";
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

function layOut(nodes: FlowNode[], edges: FlowEdge[], widthPx: number): { nodes: Node[]; edges: Edge[] } {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 28, ranksep: 44 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of nodes) graph.setNode(id, { width: widthPx, height: HEIGHT_PX });
  for (const [i, { source, target }] of edges.entries()) graph.setEdge(source, target, {}, String(i));
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
      source,
      target,
      ...(label !== undefined && { label }),
      ...(dashed && { style: { strokeDasharray: "4 4" } }),
      markerEnd: { type: MarkerType.ArrowClosed, color: "var(--line-strong)", width: 14, height: 14 },
    })),
  };
}
