-- A browser that is signed in to the console: the SHA-256 of what its cookie holds, and of the key whose rights it has.
create table sessions (
  session_hash text primary key,
  key_hash text not null,
  created_at text not null,
  expires_at text not null
);
create index sessions_by_key on sessions (key_hash, created_at);
create index sessions_by_expiry on sessions (expires_at);
-- Signs a browser in once, instead of a key.
create table sign_in_codes (
  code_hash text primary key,
  key_hash text not null,
  expires_at text not null
);
