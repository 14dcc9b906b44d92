-- The Python a version asks for: `[deployment] python` in crewship.toml.
alter table versions add column python text;
