-- A thread's pending runs wait in the order of due_at, then of queue_number.
alter table runs add column due_at text not null default '';
alter table runs add column queue_number bigint not null default 1;
drop index runs_pending;
create index runs_pending on runs (due_at) where status = 'pending';
