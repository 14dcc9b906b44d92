/** The OpenAPI document, made from the route schemas. */
import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import { VERSION } from "../version.ts";

export const openApi: FastifyDynamicSwaggerOptions = {
  openapi: {
    openapi: "3.1.0",
    info: {
      title: "Crewship Threads",
      version: VERSION,
      description: "Threads, runs, checkpoints and streams for stateful AI agents.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    components: {
      securitySchemes: { key: { type: "http", scheme: "bearer", description: "An API key" } },
    },
    security: [{ key: [] }],
  },
  refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `schema-${i}`) },
};
