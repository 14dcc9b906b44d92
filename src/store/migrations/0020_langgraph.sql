-- Assistants of the LangGraph protocol: a deployment with settings of its own, in numbered versions.
create table assistants (
  assistant_id text primary key,
  deployment_id text not null references deployments,
  -- 1: the deployment's own, made by the server; its id comes of the deployment's name.
  system bigint not null default 0,
  version bigint not null,
  created_at text not null,
  updated_at text not null
);
create index assistants_by_deployment on assistants (deployment_id);

create table assistant_versions (
  assistant_id text not null references assistants on delete cascade,
  version bigint not null,
  name text not null,
  description text,
  config text not null,
  context text not null,
  metadata text not null,
  created_at text not null,
  primary key (assistant_id, version)
);

-- What only that protocol says of a run: its assistant, what its reader wants to see.
alter table run_requests add column langgraph text;
-- 1: a client deleted it. Its row and its request stay: what it left may refer to them.
alter table runs add column hidden bigint not null default 0;
