-- What the agent of a version says of itself, JSON (core/structure.ts), and when it was asked.
alter table versions drop column schemas;
alter table versions drop column graph;
alter table versions add column structure text;
alter table versions add column described_at text;
