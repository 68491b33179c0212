-- One row per person and offer, and one row per lead that was ever delivered.
--
-- Migrations only add (tables, nullable columns, indexes), so that a worker of the version before keeps working beside a new
-- one. The tables are the same as in `sqlite`. Lead ids are of type uuid because text would compare by the collation of the
-- database. No length limits: a whole lead is at most 64 KiB.

CREATE TABLE lead (
    crm_key        text        NOT NULL PRIMARY KEY, -- hash of person and offer
    lead_id        uuid        NOT NULL,             -- the lead whose values stand here; joins lead_history
    person_key     text        NOT NULL,             -- hash of the person; the same for all offers
    endpoint       text        NOT NULL,
    offer_id       text,                             -- of the endpoint, by configuration
    offer          text,                             -- as the lead names it
    kind           text        NOT NULL,             -- customer, do_not_contact, blank, test
    first_name     text,
    last_name      text        NOT NULL,             -- "(not provided)" when the lead has none
    email          text,                             -- as it was sent
    email_valid    boolean     NOT NULL,             -- whether mail could be sent to it
    phone          text,
    country        text,
    company        text,
    job_title      text,
    source         text,
    action         text,
    description    text,
    do_not_contact boolean     NOT NULL,
    test           boolean     NOT NULL,
    received_at    timestamptz NOT NULL,             -- of lead_id
    created_at     timestamptz NOT NULL,             -- of this row
    updated_at     timestamptz NOT NULL
);

CREATE INDEX lead_person_key ON lead (person_key);

CREATE TABLE lead_history (
    lead_id     uuid        NOT NULL PRIMARY KEY,
    crm_key     text        NOT NULL,
    endpoint    text        NOT NULL,
    kind        text        NOT NULL,
    source      text,
    action      text,
    offer       text,
    description text,
    raw         text        NOT NULL, -- the body as it was sent
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL
);

CREATE INDEX lead_history_crm_key ON lead_history (crm_key);
