-- JSON that is alike from checkpoint to checkpoint: keys and nesting once here, the rest in each row.
create table shapes (
  -- From the SHA-256 of body.
  shape_id text primary key,
  -- JSON with 0 in the place of each text and number.
  body text not null
);

-- [channels, state, metadata, shown]; with a shape the list of its text and numbers.
alter table checkpoints add column shape_id text;
alter table checkpoints add column body text not null default '';
update checkpoints
  set body = '[' || channels || ',' || state || ',' || metadata || ',' || coalesce(shown, 'null') || ']';
alter table checkpoints drop column channels;
alter table checkpoints drop column state;
alter table checkpoints drop column metadata;
alter table checkpoints drop column shown;

-- Which run made an entry: its number in the entry's own log, 2 bytes where its id takes 36.
alter table checkpoints add column run_number bigint;
update checkpoints set run_number = (
  select runs.run_number from runs where runs.log_id = checkpoints.log_id and runs.run_id = checkpoints.run_id);
drop index checkpoints_root;
alter table checkpoints drop column run_id;
alter table pending_writes add column run_number bigint;
update pending_writes set run_number = (
  select runs.run_number from runs where runs.log_id = pending_writes.log_id and runs.run_id = pending_writes.run_id);
alter table pending_writes drop column run_id;
