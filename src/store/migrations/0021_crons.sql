-- Schedules that came as crons of the LangGraph protocol: what that says of them and their runs, JSON.
create table crons (
  schedule_id text primary key references schedules on delete cascade,
  terms text not null,
  updated_at text not null
);
