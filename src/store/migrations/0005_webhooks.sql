create table webhooks (
  webhook_id text primary key,
  direction text not null check (direction in ('incoming', 'outgoing')),
  deployment_id text not null references deployments,
  name text,
  -- Incoming: what its runs are started with, and the SHA-256 of its token.
  environment text,
  thread_id text,
  multitask_strategy text,
  token_hash text unique,
  -- Outgoing: where to, and a JSON list of events.
  url text,
  events text,
  created_at text not null
);
create index webhooks_by_deployment on webhooks (deployment_id, direction);

-- What a deployment's deliveries are signed with.
create table webhook_secrets (
  deployment_id text primary key references deployments,
  secret text not null
);

-- Owed from the commit that ended the run until it is delivered or given up.
create table webhook_deliveries (
  delivery_id text primary key,
  -- null: the run's own request named the address.
  webhook_id text,
  run_id text not null,
  event text not null,
  url text not null,
  status text not null check (status in ('pending', 'delivered', 'failed')),
  attempts bigint not null,
  last_status bigint,
  last_error text,
  next_attempt_at text,
  created_at text not null,
  completed_at text
);
create index webhook_deliveries_due on webhook_deliveries (next_attempt_at) where status = 'pending';
create index webhook_deliveries_by_webhook on webhook_deliveries (webhook_id, created_at, delivery_id);
create index webhook_deliveries_by_run on webhook_deliveries (run_id);
create index webhook_deliveries_over on webhook_deliveries (completed_at) where completed_at is not null;

alter table run_requests add column webhook text;
