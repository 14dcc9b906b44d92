-- The number of the batch its holder stored last: one whose answer was lost on the way is not stored twice.
alter table leases add column batch bigint not null default 0;
