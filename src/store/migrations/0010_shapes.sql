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
