-- When a node last said that it lives, and what it said of itself then, JSON (core/operations.ts). Null with the embedded
-- database, whose one node answers for itself.
alter table nodes add column seen_at text;
alter table nodes add column state text;
