-- From version 2 of schema.sql to version 3. What each thing is for is said in schema.sql.

CREATE DOMAIN activity_source AS text CHECK (VALUE IN ('tasks', 'search', 'audit_log', 'member_export'));

-- Connections

ALTER TABLE connection
    ADD COLUMN parent_id bigint REFERENCES connection CHECK (parent_id <> id),
    ADD CONSTRAINT a_child_has_no_app_of_its_own CHECK (
        parent_id IS NULL OR (client_id IS NULL AND client_secret_sealed IS NULL));

ALTER TABLE credential ADD COLUMN search_arrival timestamptz NOT NULL DEFAULT '-infinity';

CREATE UNLOGGED TABLE flight (
    credential_id bigint NOT NULL REFERENCES credential ON DELETE CASCADE,
    kind          text NOT NULL CHECK (kind IN ('read', 'write')),
    slot          integer NOT NULL CHECK (slot BETWEEN 1 AND 50),
    holder        uuid NOT NULL,
    leased_until  timestamptz NOT NULL,
    PRIMARY KEY (credential_id, kind, slot)
);

CREATE TABLE authorization_request (
    state_sha256 bytea PRIMARY KEY CHECK (octet_length(state_sha256) = 32),
    alias        text NOT NULL,
    begun_at     timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > begun_at),
    answered_at  timestamptz,
    code_sealed  bytea,
    refusal      text,
    CONSTRAINT answered_with_a_code_or_a_refusal CHECK (
        (answered_at IS NOT NULL)::integer = (code_sealed IS NOT NULL)::integer + (refusal IS NOT NULL)::integer)
);

CREATE TABLE probe (
    connection_id bigint NOT NULL REFERENCES connection ON DELETE CASCADE,
    claim         text NOT NULL,
    outcome       text NOT NULL CHECK (outcome IN ('confirmed', 'refuted', 'unsettled')),
    seen          text NOT NULL,
    asked_at      timestamptz NOT NULL,
    PRIMARY KEY (connection_id, claim)
);

-- Profiles: both switches are on, as they were without one

ALTER TABLE profile
    DROP CONSTRAINT profile_name_key,
    DROP CONSTRAINT profile_status_check,
    ADD CONSTRAINT profile_status_check CHECK (status IN ('draft', 'published', 'deleted')),
    ADD COLUMN profile_type text NOT NULL DEFAULT 'subscription' CHECK (profile_type = 'subscription'),
    ADD COLUMN activity_enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN reclaim_enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN sweep text NOT NULL DEFAULT 'economical' CHECK (sweep IN ('economical', 'full')),
    ADD COLUMN deleted_at timestamptz,
    ADD CONSTRAINT deleted_at_a_time CHECK ((status = 'deleted') = (deleted_at IS NOT NULL));
CREATE UNIQUE INDEX one_living_profile_of_a_name ON profile (name) WHERE status <> 'deleted';

-- Activity: the view stands on the column whose type changes

DROP VIEW last_activity;
ALTER TABLE observation DROP CONSTRAINT observation_source_check, ALTER COLUMN source TYPE activity_source;
ALTER TABLE coverage DROP CONSTRAINT coverage_source_check, ALTER COLUMN source TYPE activity_source;
CREATE VIEW last_activity AS
SELECT DISTINCT ON (profile_id, subscription_id)
       profile_id, subscription_id, acted_at, act, proof, source
  FROM observation
 ORDER BY profile_id, subscription_id, acted_at DESC;

CREATE TABLE activity_stream (
    profile_id    bigint NOT NULL REFERENCES profile,
    source        activity_source NOT NULL CHECK (source = 'audit_log'),
    covered       tstzmultirange NOT NULL DEFAULT '{}',
    resume_offset text,
    pulled_at     timestamptz NOT NULL,
    trouble       text,
    PRIMARY KEY (profile_id, source)
);

CREATE TABLE member_export (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id  bigint NOT NULL REFERENCES profile,
    file_sha256 bytea NOT NULL CHECK (octet_length(file_sha256) = 32),
    exported_at timestamptz NOT NULL,
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL,
    people      integer NOT NULL CHECK (people >= 0),
    matched     integer NOT NULL CHECK (matched BETWEEN 0 AND people),
    UNIQUE (profile_id, id),
    UNIQUE (profile_id, file_sha256),
    CHECK (exported_at <= imported_at)
);

-- Alerts

CREATE TABLE alert (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id   bigint REFERENCES profile,
    kind         text NOT NULL CHECK (kind IN ('RunFailed', 'ConnectionLost', 'CoverageOld')),
    about        text NOT NULL UNIQUE,
    title        text NOT NULL,
    body         text NOT NULL,
    raised_at    timestamptz NOT NULL,
    next_try_at  timestamptz NOT NULL,
    tries        integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    trouble      text,
    sent_at      timestamptz,
    given_up_at  timestamptz,
    CHECK (sent_at IS NULL OR given_up_at IS NULL)
);
CREATE INDEX alert_waiting ON alert (next_try_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX outbox_alarming ON outbox (occurred_at) WHERE name IN ('RunFailed', 'ConnectionLost');

-- Rights

GRANT SELECT ON flight, probe, activity_stream, member_export, alert, last_activity
   TO seatkeeper_scheduler, seatkeeper_worker, seatkeeper_reclaim, seatkeeper_console;
GRANT SELECT ON authorization_request TO seatkeeper_console;
GRANT INSERT, UPDATE ON activity_stream TO seatkeeper_worker;
GRANT INSERT, UPDATE, DELETE ON flight TO seatkeeper_worker, seatkeeper_reclaim, seatkeeper_console;
GRANT INSERT, UPDATE ON alert TO seatkeeper_scheduler;
GRANT INSERT, UPDATE, DELETE ON authorization_request, probe TO seatkeeper_console;
GRANT INSERT ON member_export, observation TO seatkeeper_console;
GRANT INSERT, UPDATE ON coverage TO seatkeeper_console;

UPDATE schema_version SET version = 3;
