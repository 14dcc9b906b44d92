-- 1: only the run's last event is left.
alter table runs add column events_swept bigint not null default 0;
create index runs_with_events on runs (completed_at) where completed_at is not null and events_swept = 0;
