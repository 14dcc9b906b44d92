create table schedules (
  schedule_id text primary key,
  deployment_id text not null references deployments,
  -- null: each run stands alone.
  thread_id text references threads on delete cascade,
  name text,
  cron text not null,
  timezone text not null,
  input text not null,
  environment text not null,
  multitask_strategy text,
  config text,
  metadata text not null,
  -- null: it is paused.
  next_due_at text,
  -- When a node takes it: when it is due, or when the claim of the node that took it last has run out.
  next_attempt_at text,
  last_due_at text,
  last_run_id text,
  last_error text,
  created_at text not null,
  check ((next_due_at is null) = (next_attempt_at is null))
);
create index schedules_by_deployment on schedules (deployment_id, created_at);
create index schedules_by_thread on schedules (thread_id) where thread_id is not null;
create index schedules_due on schedules (next_attempt_at) where next_attempt_at is not null;
