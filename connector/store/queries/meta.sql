-- ledger_known (sqlite) --
-- Whether this database has ever been migrated.
SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'schema_ledger'

-- ledger_known (postgres) --
-- Whether this database has ever been migrated.
SELECT 1 AS found WHERE to_regclass('schema_ledger') IS NOT NULL

-- ledger_of --
-- Migrations applied to this database, in order.
SELECT name FROM schema_ledger WHERE component = :component ORDER BY name

-- ledger_put --
-- Written in the transaction of the migration itself.
INSERT INTO schema_ledger (component, name, applied_at) VALUES (:component, :name, :applied_at)

-- ledger_drop --
-- One was undone.
DELETE FROM schema_ledger WHERE component = :component AND name = :name

-- ledger_drop_all --
-- The row about the oldest program is about to be written anew.
DELETE FROM schema_ledger WHERE component = :component

-- meta_get --
-- A single value of the installation.
SELECT value FROM meta WHERE name = :name

-- meta_put --
-- Insert or replace.
INSERT INTO meta (name, value, updated_at) VALUES (:name, :value, :now)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at

-- server_time (postgres) --
-- What the database's own clock says.
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at

-- server_time (sqlite) --
-- A file has no clock.
SELECT NULL AS at

-- meta_under --
-- Values whose names begin alike.
SELECT name, value FROM meta WHERE substr(name, 1, length(:prefix)) = :prefix ORDER BY name
