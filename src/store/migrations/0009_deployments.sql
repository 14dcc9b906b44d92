-- A version is a folder on one machine (`dev`), or an archive of source that every node can have.
alter table versions add column folder_machine text;
alter table versions add column folder text;
update versions set folder_machine = machine, folder = directory;
alter table versions drop column machine;
alter table versions drop column directory;
alter table versions rename column folder_machine to machine;
alter table versions rename column folder to directory;
alter table versions add column build_status text not null default 'ready'
  check (build_status in ('building', 'ready', 'failed', 'retired'));
alter table versions drop column status;
alter table versions rename column build_status to status;
-- The deployment has the keys of the version that production points at.
alter table versions add column chat text not null default '{"input_key":null,"output_key":null}';
update versions set chat = (select chat from deployments where deployments.deployment_id = versions.deployment_id);
-- The content of the archive, and what tells one source from another.
alter table versions add column archive text references blobs;
alter table versions add column digest text;
-- Which environment points at it once it is built.
alter table versions add column environment text;
alter table versions add column error text;
-- What the agent said of itself when it was loaded, JSON.
alter table versions add column schemas text;
alter table versions add column graph text;
alter table versions add column built_at text;
-- The node that builds it, and until when nobody else may.
alter table versions add column build_node text;
alter table versions add column build_until text;
alter table versions add column build_attempts bigint not null default 0;
create index versions_building on versions (version_id) where status = 'building';
create index versions_by_archive on versions (archive) where archive is not null;

create table build_lines (
  version_id text not null references versions,
  number bigint not null,
  at text not null,
  line text not null,
  primary key (version_id, number)
);

-- What was deployed and each environment has pointed at since, in order. A folder has nothing to go back to.
create table activations (
  deployment_id text not null references deployments,
  environment text not null,
  number bigint not null,
  version_id text not null references versions,
  activated_at text not null,
  primary key (deployment_id, environment, number)
);
-- Values are sealed with a key that is not in here; `key_id` tells which.
create table variables (
  deployment_id text not null references deployments,
  environment text not null,
  name text not null,
  key_id text not null,
  sealed bytea not null,
  updated_at text not null,
  primary key (deployment_id, environment, name)
);
