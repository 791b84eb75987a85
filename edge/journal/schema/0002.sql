-- Why nothing more of a run is sent: fork, schema, pruned. NULL while it is sent.
ALTER TABLE run ADD COLUMN stopped TEXT;

-- Id (run:seq) of the entry that this one says again; one entry is said again once.
ALTER TABLE entry ADD COLUMN was TEXT;
CREATE UNIQUE INDEX entry_was ON entry (was) WHERE was IS NOT NULL;

-- Small facts that outlive the process: the cloud's generation, the highest lease seen, the journal's own age.
CREATE TABLE known (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Commands of the cloud that were begun: each is carried out once.
CREATE TABLE command (
    cmd_id TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('begun', 'finished'))
) STRICT, WITHOUT ROWID;

-- At this hour of the journal's age the cloud held entries 0..until-1 of the run: what retention counts from.
CREATE TABLE acked_at (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    hour INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (run, hour)
) STRICT, WITHOUT ROWID;

-- Whatever a rule for pruning says: what the cloud is not known to hold stays.
CREATE TRIGGER entry_kept BEFORE DELETE ON entry
WHEN OLD.seq >= coalesce((SELECT acked FROM run WHERE id = OLD.run), 0)
BEGIN
    SELECT RAISE(ABORT, 'an entry that the cloud does not hold cannot be deleted');
END;

CREATE TRIGGER entry_as_written BEFORE UPDATE ON entry
BEGIN
    SELECT RAISE(ABORT, 'an entry is never changed');
END;
