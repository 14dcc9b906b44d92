-- The content of files, each stored once, in pieces of equal size but the last.
create table blobs (
  sha256 text primary key,
  size bigint not null,
  -- 1: all pieces are there.
  complete bigint not null default 0,
  -- Since when nothing has referred to it, as far as is known; null: something does.
  loose_at text
);
create index blobs_loose on blobs (loose_at) where loose_at is not null;

create table blob_pieces (
  sha256 text not null,
  piece bigint not null,
  body bytea not null,
  primary key (sha256, piece)
);

-- The files runs left.
create table artifacts (
  log_id bigint not null,
  run_id text not null,
  name text not null,
  sha256 text not null references blobs,
  size bigint not null,
  created_at text not null,
  primary key (log_id, run_id, name)
);
create index artifacts_by_content on artifacts (sha256);
