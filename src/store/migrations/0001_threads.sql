-- Everything hot leads its key with log_id, so the schema can be split by thread log. Times are ISO 8601 text from
-- the database's clock; JSON is text as JSON.stringify wrote it.

create table nodes (
  node_id text primary key,
  machine text not null,
  started_at text not null
);

create table deployments (
  deployment_id text primary key,
  name text not null unique,
  framework text not null,
  chat text not null,
  created_at text not null
);

create table versions (
  version_id text primary key,
  deployment_id text not null references deployments,
  number bigint not null,
  framework text not null,
  entrypoint text not null,
  runner text not null,
  -- A dev version is a folder on one machine.
  machine text not null,
  directory text not null,
  status text not null check (status in ('ready', 'failed')),
  created_at text not null,
  unique (deployment_id, number)
);

create table environments (
  deployment_id text not null references deployments,
  environment text not null,
  version_id text not null references versions,
  primary key (deployment_id, environment)
);

-- A log's positions go on where its parent's stood at the branch, so a position names one entry along a lineage.
create table logs (
  log_id bigint primary key,
  parent_log_id bigint references logs,
  branch_position bigint not null,
  next_position bigint not null,
  next_item bigint not null,
  -- Items up to this number have been merged.
  merged_item bigint not null,
  next_run bigint not null,
  -- Position of the root checkpoint committed last, null when there is none.
  head_position bigint,
  -- When the last name of the log went away; it is swept some time later.
  dropped_at text
);
create index logs_by_parent on logs (parent_log_id) where parent_log_id is not null;
create index logs_to_merge on logs (log_id) where next_item - merged_item > 128;
create index logs_dropped on logs (dropped_at) where dropped_at is not null;

create table threads (
  thread_id text primary key,
  log_id bigint not null unique references logs,
  deployment_id text references deployments,
  status text not null check (status in ('idle', 'busy', 'interrupted', 'error')),
  metadata text not null,
  initial_values text,
  copied_from text,
  ttl_minutes double precision,
  ttl_strategy text,
  created_at text not null,
  updated_at text not null
);
create index threads_by_age on threads (deployment_id, created_at, thread_id);
create index threads_by_status on threads (deployment_id, status, created_at, thread_id);
create index threads_expiring on threads (ttl_minutes, updated_at) where ttl_minutes is not null;

-- Scalar top-level metadata, one row a key, so that a search starts from an index.
create table thread_tags (
  deployment_id text not null,
  -- Both as JSON text.
  key text not null,
  value text not null,
  created_at text not null,
  thread_id text not null references threads on delete cascade,
  primary key (deployment_id, key, value, created_at, thread_id)
);
create index thread_tags_by_thread on thread_tags (thread_id);

create table checkpoints (
  log_id bigint not null references logs,
  position bigint not null,
  namespace text not null,
  checkpoint_id text not null,
  parent_checkpoint_id text,
  run_id text,
  step bigint not null,
  source text not null,
  -- Channel name to the position of its value's row.
  channels text not null,
  state text not null,
  metadata text not null,
  -- {keys, values?, next, tasks}: what a person sees; null for what the framework did not report.
  shown text,
  created_at text not null,
  primary key (log_id, position)
);
create index checkpoints_by_id on checkpoints (log_id, checkpoint_id, position);
create index checkpoints_root on checkpoints (log_id, position, run_id) where namespace = '';

create table channel_values (
  log_id bigint not null,
  position bigint not null,
  -- As JSON text: a name may hold what no database keeps, a NUL or half a surrogate pair.
  channel text not null,
  value text not null,
  primary key (log_id, position, channel)
);

create table pending_writes (
  log_id bigint not null,
  position bigint not null,
  namespace text not null,
  checkpoint_id text not null,
  task_id text not null,
  task_path text not null,
  run_id text,
  -- [[idx, channel, value], …]
  writes text not null,
  primary key (log_id, position)
);
create index pending_writes_by_checkpoint on pending_writes (log_id, checkpoint_id, position);

-- Items last_number - count + 1 … last_number. A new item has a row of its own and its JSON as body; old ones are
-- merged, count of them in one row with a JSON list as body, under the same numbers.
create table items (
  log_id bigint not null,
  last_number bigint not null,
  count bigint not null,
  body text not null,
  primary key (log_id, last_number)
);

-- A drop hides the entries from from_position to to_position from every reader that can see the drop itself.
create table drops (
  log_id bigint not null,
  position bigint not null,
  from_position bigint not null,
  to_position bigint not null,
  -- 0: the entries are there; 1: they are gone, items only they referred to may be there; 2: both are gone.
  swept bigint not null default 0,
  primary key (log_id, position)
);
create index drops_unswept on drops (log_id) where swept = 0;
create index drops_items_unswept on drops (log_id) where swept = 1;

create table runs (
  log_id bigint not null references logs,
  run_id text not null,
  thread_id text,
  deployment_id text not null references deployments,
  version_id text not null references versions,
  environment text not null,
  status text not null
    check (status in ('pending', 'running', 'succeeded', 'failed', 'canceled', 'interrupted')),
  -- The order in which the thread's runs began; null until then.
  run_number bigint,
  attempt bigint not null,
  -- Agent processes, and nodes, lost in a row without a checkpoint committed in between.
  lost_processes bigint not null,
  lost_nodes bigint not null,
  metadata text not null,
  timeout_s double precision,
  output text,
  error text,
  created_at text not null,
  started_at text,
  completed_at text,
  primary key (log_id, run_id)
);
create unique index runs_by_id on runs (run_id);
create unique index runs_one_running on runs (log_id) where status = 'running';
create index runs_live on runs (log_id, status) where status in ('pending', 'running');
create index runs_pending on runs (created_at) where status = 'pending';
create index runs_by_deployment on runs (deployment_id, run_id);
create index runs_by_number on runs (log_id, run_number) where run_number is not null;

create table run_requests (
  log_id bigint not null,
  run_id text not null,
  input text not null,
  command text,
  config text,
  checkpoint_id text,
  interrupt_before text,
  interrupt_after text,
  primary key (log_id, run_id)
);

-- Only live runs have a row here: it is small, hot, and gone when the run is over.
create table leases (
  log_id bigint not null,
  run_id text not null,
  -- null while nobody executes the run.
  node_id text,
  attempt bigint not null,
  expires_at text,
  last_seq bigint not null,
  primary key (log_id, run_id)
);
create index leases_by_expiry on leases (expires_at) where expires_at is not null;

-- Events of one commit share a row: [{type, data}, …] numbered first_seq … last_seq.
create table event_batches (
  log_id bigint not null,
  run_number bigint not null,
  last_seq bigint not null,
  first_seq bigint not null,
  events text not null,
  created_at text not null,
  primary key (log_id, run_number, last_seq)
);

create table api_keys (
  key_id text primary key,
  name text not null,
  key_hash text not null unique,
  role text not null check (role in ('read', 'run', 'admin')),
  -- JSON list; null: all deployments.
  deployment_ids text,
  created_at text not null
);

create table idempotency_keys (
  key_id text not null,
  path text not null,
  idempotency_key text not null,
  body_hash text not null,
  answer text not null,
  created_at text not null,
  primary key (key_id, path, idempotency_key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);
