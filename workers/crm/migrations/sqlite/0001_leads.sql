-- One row per person and offer, and one row per lead that was ever delivered.
--
-- Migrations only add (tables, nullable columns, indexes), so that a worker of the version before keeps working beside a new
-- one. The tables are the same as in `postgres`. Times are RFC 3339 in UTC with six digits of a second, so that they sort as
-- text. No length limits: a whole lead is at most 64 KiB.

CREATE TABLE lead (
    crm_key        TEXT        NOT NULL PRIMARY KEY, -- hash of person and offer
    lead_id        TEXT        NOT NULL,             -- the lead whose values stand here; joins lead_history
    person_key     TEXT        NOT NULL,             -- hash of the person; the same for all offers
    endpoint       TEXT        NOT NULL,
    offer_id       TEXT,                             -- of the endpoint, by configuration
    offer          TEXT,                             -- as the lead names it
    kind           TEXT        NOT NULL,             -- customer, do_not_contact, blank, test
    first_name     TEXT,
    last_name      TEXT        NOT NULL,             -- "(not provided)" when the lead has none
    email          TEXT,                             -- as it was sent
    email_valid    BOOLEAN     NOT NULL,             -- whether mail could be sent to it
    phone          TEXT,
    country        TEXT,
    company        TEXT,
    job_title      TEXT,
    source         TEXT,
    action         TEXT,
    description    TEXT,
    do_not_contact BOOLEAN     NOT NULL,
    test           BOOLEAN     NOT NULL,
    received_at    TEXT        NOT NULL,             -- of lead_id
    created_at     TEXT        NOT NULL,             -- of this row
    updated_at     TEXT        NOT NULL
);

CREATE INDEX lead_person_key ON lead (person_key);

CREATE TABLE lead_history (
    lead_id     TEXT NOT NULL PRIMARY KEY,
    crm_key     TEXT NOT NULL,
    endpoint    TEXT NOT NULL,
    kind        TEXT NOT NULL,
    source      TEXT,
    action      TEXT,
    offer       TEXT,
    description TEXT,
    raw         TEXT NOT NULL, -- the body as it was sent
    received_at TEXT NOT NULL,
    recorded_at TEXT NOT NULL
);

CREATE INDEX lead_history_crm_key ON lead_history (crm_key);
