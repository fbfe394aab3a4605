-- What arrived, what became of it, and when. Rows are added; only state columns move, and every move
-- leaves an event. SQLite because several short transactions must survive any crash, and because
-- readers may look while a run writes.
CREATE TABLE IF NOT EXISTS offers (           -- one row per file found in an inbox
    offer         INTEGER PRIMARY KEY,
    night         TEXT NOT NULL,              -- folder it lay in, ISO date
    sender        TEXT NOT NULL,
    path          TEXT NOT NULL,              -- below the night's folder
    size          INTEGER NOT NULL,
    mtime_ns      INTEGER NOT NULL,
    sha256        TEXT NOT NULL,
    run           TEXT NOT NULL,
    state         TEXT NOT NULL,
    code          TEXT,                       -- reason, where the state needs one
    detail        TEXT,
    duplicate_of  INTEGER REFERENCES offers,
    UNIQUE (night, path, sha256)
) STRICT;
CREATE TABLE IF NOT EXISTS files (            -- one row per content of one sender in one channel: a file, or a member of an archive
    file          TEXT PRIMARY KEY,           -- 16 hex digits; see store.ledger.file_id
    sha256        TEXT NOT NULL,
    offer         INTEGER NOT NULL REFERENCES offers,
    member        TEXT,                       -- name inside the archive, null outside
    size          INTEGER NOT NULL,
    night         TEXT NOT NULL,
    sender        TEXT NOT NULL,
    source        TEXT,
    channel       TEXT,
    facility      TEXT,
    declared_on   TEXT,
    vintage       TEXT,
    signature     TEXT,                       -- SIG_* code, null where the source asks for none
    units_said    INTEGER,
    units_read    INTEGER,
    notes         TEXT NOT NULL DEFAULT '',   -- ';'-separated codes of what was tolerated
    state         TEXT NOT NULL,
    code          TEXT,
    detail        TEXT,
    batch         TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS files_offer ON files (offer);
CREATE TABLE IF NOT EXISTS copies (           -- the same content offered again, whole or inside an archive
    offer         INTEGER NOT NULL REFERENCES offers,
    member        TEXT NOT NULL DEFAULT '',
    file          TEXT NOT NULL REFERENCES files,
    PRIMARY KEY (offer, member)
) STRICT;
CREATE TABLE IF NOT EXISTS signers (          -- whose certificate signed a content; see extract.recheck
    file          TEXT PRIMARY KEY REFERENCES files,
    certificate   TEXT NOT NULL               -- SHA-256 of its DER
) STRICT;
CREATE TABLE IF NOT EXISTS counts (           -- rows read and rejected while reading, per content and table
    file          TEXT NOT NULL REFERENCES files,
    table_id      TEXT NOT NULL,
    read          INTEGER NOT NULL,
    rejected      INTEGER NOT NULL,
    PRIMARY KEY (file, table_id)
) STRICT;
CREATE TABLE IF NOT EXISTS batches (          -- parts of a batch exist only if the batch stands here
    batch         TEXT PRIMARY KEY,
    night         TEXT NOT NULL,
    source        TEXT NOT NULL,
    layer         TEXT NOT NULL,              -- raw, then standard
    run           TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS events (
    seq           INTEGER PRIMARY KEY,
    at            TEXT NOT NULL,              -- UTC
    run           TEXT NOT NULL,
    offer         INTEGER REFERENCES offers,
    file          TEXT REFERENCES files,
    state         TEXT NOT NULL,
    code          TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS runs (
    run           TEXT PRIMARY KEY,           -- sorts by time
    night         TEXT NOT NULL,
    started_at    TEXT NOT NULL,
    ended_at      TEXT,
    snapshot      TEXT,
    fingerprint   TEXT NOT NULL,              -- of the declarations
    version       TEXT NOT NULL,              -- of the engine
    outcome       TEXT
) STRICT;
