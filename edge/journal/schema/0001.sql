-- One start of the writer. `acked` is how many of its entries the cloud is known to hold; it may lag behind the truth, never lead.
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    acked INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The entries as written: `bytes` are what is chained, signed and sent. Never updated.
CREATE TABLE entry (
    run INTEGER NOT NULL REFERENCES run (id),
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    bytes BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

-- Jobs are rebuilt from their steps at start; readings outnumber steps a hundred to one and stay out of this index.
CREATE INDEX entry_step ON entry (run, seq) WHERE kind = 'step';
