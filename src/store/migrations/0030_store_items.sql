-- What agents and clients keep beside threads, by namespace and key; a deployment's own.
create table store_items (
  deployment_id text not null references deployments,
  -- Labels, each followed by a full stop, so that a prefix is a range.
  namespace text not null,
  key text not null,
  value text not null,
  ttl_minutes double precision,
  expires_at text,
  created_at text not null,
  updated_at text not null,
  primary key (deployment_id, namespace, key)
);
create index store_items_by_age on store_items (deployment_id, updated_at, namespace, key);
create index store_items_expiring on store_items (expires_at) where expires_at is not null;

-- float32, little endian: one for each text of an item that was embedded.
create table store_vectors (
  deployment_id text not null,
  namespace text not null,
  key text not null,
  path text not null,
  vector bytea not null,
  primary key (deployment_id, namespace, key, path),
  foreign key (deployment_id, namespace, key) references store_items on delete cascade
);

-- `[store]` in crewship.toml, JSON.
alter table versions add column store text not null default '{"index":null,"default_ttl":null,"refresh_on_read":true}';
