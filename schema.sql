-- Seatkeeper's whole database, readable top to bottom. Its constraints refuse impossible states, so that a mistake in
-- the code is an error and not a wrong removal.
--
-- One rule for every table that speaks of an organization: the profile is part of its keys and foreign keys, so that a
-- row of one organization cannot point at a row of another.
-- All times are timestamptz (stored in UTC). Asana's gids are text of digits. Amounts are numeric.
--
-- Loaded once into an empty database by `seats init`, in one transaction; whoever loads it owns it and should be nobody
-- that a process logs in as. Postgres 15 or newer.

-- Who connects ---------------------------------------------------------------------------------------------------------
-- Each process logs in as a role of its own that owns nothing. Their passwords are set by `seats init`.

DO $$
DECLARE role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['seatkeeper_scheduler', 'seatkeeper_relay', 'seatkeeper_intake',
                                     'seatkeeper_worker', 'seatkeeper_reclaim', 'seatkeeper_console']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT', role_name);
        END IF;
    END LOOP;
END
$$;

CREATE TABLE schema_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  integer NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO schema_version (version) VALUES (3);

CREATE DOMAIN gid AS text COLLATE "C"            -- compared byte by byte, whatever the locale
    CHECK (VALUE ~ '^[0-9]+$' AND octet_length(VALUE) <= 30); -- not {1,30}: ten times the work for each value
CREATE DOMAIN currency AS text CHECK (VALUE ~ '^[A-Z]{3}$');
CREATE DOMAIN software_model_key AS text CHECK (VALUE IN ('member', 'view_only', 'guest'));
CREATE DOMAIN activity_source AS text CHECK (VALUE IN ('tasks', 'search', 'audit_log', 'member_export'));

-- Connections ----------------------------------------------------------------------------------------------------------
-- An alias with the OAuth application that it belongs to, and the credentials that it was granted. A child alias stands
-- on its parent's application and has credentials of its own. Secrets are sealed (Fernet) before they come here; the
-- sealed text names the row it belongs to.

CREATE TABLE connection (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alias                text NOT NULL UNIQUE CHECK (alias ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
    base_url             text NOT NULL CHECK (base_url ~ '^https?://'),
    client_id            text,
    client_secret_sealed bytea,
    requests_per_minute  integer CHECK (requests_per_minute > 0), -- empty: unlimited, which only a loopback address may be
    created_at           timestamptz NOT NULL DEFAULT now(),
    parent_id            bigint REFERENCES connection CHECK (parent_id <> id), -- whose application this alias uses
    CONSTRAINT a_child_has_no_app_of_its_own CHECK (
        parent_id IS NULL OR (client_id IS NULL AND client_secret_sealed IS NULL)),
    CONSTRAINT only_loopback_is_unlimited CHECK (
        requests_per_minute IS NOT NULL OR base_url ~ '^http://(127\.[0-9.]+|localhost|\[::1\])(:[0-9]+)?$')
);

CREATE TABLE credential (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id        bigint NOT NULL REFERENCES connection ON DELETE CASCADE,
    kind                 text NOT NULL CHECK (kind IN ('oauth', 'personal_access_token', 'service_account')),
    state                text NOT NULL CHECK (state IN ('connected', 'reconnect_needed')),
    user_gid             gid NOT NULL,     -- on whose behalf: never removed by us
    access_token_sealed  bytea NOT NULL,
    refresh_token_sealed bytea,
    expires_at           timestamptz,      -- empty: does not expire by itself
    lost_reason          text,
    connected_at         timestamptz NOT NULL,
    theoretical_arrival  timestamptz NOT NULL DEFAULT '-infinity', -- the budget of reads and writes, shared by all processes (GCRA)
    search_arrival       timestamptz NOT NULL DEFAULT '-infinity', -- the same for searches, which count in both
    UNIQUE (connection_id, kind),
    CONSTRAINT oauth_can_be_refreshed CHECK (kind <> 'oauth' OR (refresh_token_sealed IS NOT NULL AND expires_at IS NOT NULL)),
    CONSTRAINT lost_with_a_reason CHECK ((state = 'reconnect_needed') = (lost_reason IS NOT NULL))
);

-- Calls that may be in flight with one credential at once: a process leases some for longer than a call can take, so that
-- a killed one leaks none. Unlogged: after a crash of the server no call that it knew of is in flight any more.
CREATE UNLOGGED TABLE flight (
    credential_id bigint NOT NULL REFERENCES credential ON DELETE CASCADE,
    kind          text NOT NULL CHECK (kind IN ('read', 'write')),
    slot          integer NOT NULL CHECK (slot BETWEEN 1 AND 50),
    holder        uuid NOT NULL,
    leased_until  timestamptz NOT NULL,
    PRIMARY KEY (credential_id, kind, slot)
);

-- A browser was sent to Asana; its answer comes to the page of `seats serve`. The verifier never comes here: it stays
-- with the command that waits, so that the code alone is worth nothing.
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

CREATE TABLE probe (                             -- what `seats probe` found of our claims about Asana
    connection_id bigint NOT NULL REFERENCES connection ON DELETE CASCADE,
    claim         text NOT NULL,
    outcome       text NOT NULL CHECK (outcome IN ('confirmed', 'refuted', 'unsettled')),
    seen          text NOT NULL,
    asked_at      timestamptz NOT NULL,
    PRIMARY KEY (connection_id, claim)
);

-- Integration profiles -------------------------------------------------------------------------------------------------

CREATE TABLE profile (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name                  text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    display_name          text NOT NULL,
    profile_type          text NOT NULL DEFAULT 'subscription' CHECK (profile_type = 'subscription'),
    connection_id         bigint NOT NULL REFERENCES connection,
    organization_gid      gid,
    organization_name     text,
    status                text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'deleted')),
    plan                  text NOT NULL CHECK (plan IN ('free', 'starter', 'advanced', 'enterprise', 'enterprise+')),
    time_zone             text NOT NULL DEFAULT 'UTC',
    currency              currency NOT NULL DEFAULT 'USD',
    -- The switches of its processes: the download is always on; activity off gives no candidates, reclaim off gives
    -- candidates only.
    activity_enabled      boolean NOT NULL DEFAULT true,
    reclaim_enabled       boolean NOT NULL DEFAULT true,
    analyze_activity_from timestamptz NOT NULL,
    sweep                 text NOT NULL DEFAULT 'economical' CHECK (sweep IN ('economical', 'full')), -- whom a pull asks about
    -- What holds removals back. A profile is leashed (dry run) until an operator lets it go.
    leashed               boolean NOT NULL DEFAULT true,
    removal_cap           integer NOT NULL DEFAULT 25 CHECK (removal_cap > 0), -- removals in any 24 hours, unknown outcomes counted
    provisioned_by_scim   boolean NOT NULL DEFAULT false,
    work_goes_to          text,             -- the operator's words on who receives a removed person's work
    reclaim_stopped_at    timestamptz,
    reclaim_stopped_by    text,
    reclaim_stopped_why   text,
    created_at            timestamptz NOT NULL DEFAULT now(),
    published_at          timestamptz,
    deleted_at            timestamptz,
    UNIQUE (id, currency),
    CONSTRAINT deleted_at_a_time CHECK ((status = 'deleted') = (deleted_at IS NOT NULL)),
    CONSTRAINT published_knows_its_organization CHECK (
        (status = 'published') <= (published_at IS NOT NULL AND organization_gid IS NOT NULL)),
    CONSTRAINT unleashed_says_where_work_goes CHECK (leashed OR (work_goes_to IS NOT NULL AND NOT provisioned_by_scim)),
    CONSTRAINT stopped_by_somebody CHECK (
        (reclaim_stopped_at IS NULL) = (reclaim_stopped_by IS NULL)
        AND (reclaim_stopped_at IS NULL) = (reclaim_stopped_why IS NULL))
);
CREATE UNIQUE INDEX one_living_profile_of_a_name ON profile (name) WHERE status <> 'deleted'; -- history keeps the others

CREATE TABLE software_model (
    profile_id bigint NOT NULL REFERENCES profile,
    key        software_model_key NOT NULL,
    name       text NOT NULL,
    is_paid    boolean NOT NULL,
    PRIMARY KEY (profile_id, key)
);

CREATE TABLE reclamation_rule (
    profile_id     bigint NOT NULL,
    software_model software_model_key NOT NULL,
    threshold_days integer NOT NULL DEFAULT 60 CHECK (threshold_days BETWEEN 1 AND 3650),
    evidence       text NOT NULL DEFAULT 'work' CHECK (evidence IN ('work', 'any_use')),
    notify         boolean NOT NULL DEFAULT true,
    PRIMARY KEY (profile_id, software_model),
    FOREIGN KEY (profile_id, software_model) REFERENCES software_model (profile_id, key)
);

CREATE TABLE exemption (
    profile_id bigint NOT NULL REFERENCES profile,
    user_gid   gid NOT NULL,
    reason     text NOT NULL CHECK (reason <> ''),
    until      timestamptz,
    added_by   text NOT NULL,
    added_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (profile_id, user_gid)
);

CREATE TABLE schedule (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id  bigint NOT NULL REFERENCES profile,
    kind        text NOT NULL CHECK (kind IN ('cycle', 'download', 'activity', 'candidates', 'reclaim', 'reconcile')),
    cron        text NOT NULL,
    time_zone   text NOT NULL,
    enabled     boolean NOT NULL DEFAULT true,
    next_due_at timestamptz NOT NULL,
    last_due_at timestamptz,               -- the due time that was last acted on: never twice
    UNIQUE (profile_id, kind),
    CHECK (last_due_at IS NULL OR last_due_at < next_due_at)
);

-- Runs -----------------------------------------------------------------------------------------------------------------
-- One row for each piece of work that was asked for. A cycle is a run that has others in it. The row is made in the
-- transaction that puts its command into the outbox; the actor takes it up, slice by slice. `fence` grows each time a
-- worker takes a slice: what an older worker still wants to write is refused.

CREATE TABLE run (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    profile_id     bigint NOT NULL REFERENCES profile,
    kind           text NOT NULL CHECK (kind IN ('cycle', 'download', 'activity', 'candidates', 'reclaim', 'reconcile')),
    state          text NOT NULL DEFAULT 'queued'
                   CHECK (state IN ('queued', 'running', 'finished', 'failed', 'coalesced', 'not_run')),
    cycle_id       uuid,
    correlation_id uuid NOT NULL,
    requested_by   text NOT NULL,
    plan_hash      text,
    created_at     timestamptz NOT NULL,
    not_before     timestamptz NOT NULL DEFAULT '-infinity',
    started_at     timestamptz,
    ended_at       timestamptz,
    slice          integer NOT NULL DEFAULT 0 CHECK (slice >= 0),
    cursor         jsonb NOT NULL DEFAULT '{}',
    fence          bigint NOT NULL DEFAULT 0,
    lease_until    timestamptz,
    counts         jsonb NOT NULL DEFAULT '{}',
    reason         text,
    coalesced_into uuid,
    UNIQUE (profile_id, id),
    FOREIGN KEY (profile_id, cycle_id) REFERENCES run (profile_id, id),
    FOREIGN KEY (profile_id, coalesced_into) REFERENCES run (profile_id, id),
    CONSTRAINT times_go_with_the_state CHECK (CASE state
        WHEN 'queued'   THEN started_at IS NULL AND ended_at IS NULL
        WHEN 'running'  THEN started_at IS NOT NULL AND ended_at IS NULL AND lease_until IS NOT NULL
        WHEN 'finished' THEN started_at IS NOT NULL AND ended_at IS NOT NULL
        WHEN 'failed'   THEN ended_at IS NOT NULL
        ELSE ended_at IS NOT NULL END),
    CONSTRAINT an_end_that_is_not_plain_has_a_reason CHECK (
        state NOT IN ('failed', 'coalesced', 'not_run') OR coalesce(reason, '') <> ''),
    CONSTRAINT coalesced_points_to_a_run CHECK ((state = 'coalesced') = (coalesced_into IS NOT NULL)),
    CONSTRAINT only_a_reclaim_has_a_plan CHECK (plan_hash IS NULL OR kind = 'reclaim')
);
CREATE UNIQUE INDEX one_active_run_of_a_kind ON run (profile_id, kind) WHERE state = 'running';
CREATE INDEX waiting_cycle ON run (not_before) WHERE kind = 'cycle' AND state = 'queued';
CREATE INDEX run_by_cycle ON run (cycle_id) WHERE cycle_id IS NOT NULL;
CREATE INDEX run_by_time ON run (profile_id, kind, created_at DESC);

-- What came in ---------------------------------------------------------------------------------------------------------

CREATE TABLE request (
    id           uuid PRIMARY KEY,              -- given by the sender: a repeat is harmless
    body_sha256  bytea NOT NULL,                -- of the request's canonical form: another body under one id is refused
    profile_id   bigint NOT NULL REFERENCES profile,
    kind         text NOT NULL,
    requested_by text NOT NULL,
    received_at  timestamptz NOT NULL,
    run_id       uuid NOT NULL,
    FOREIGN KEY (profile_id, run_id) REFERENCES run (profile_id, id)
);

CREATE TABLE quarantine (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    request_id  uuid,                           -- where one could be read
    reason      text NOT NULL,
    body        bytea NOT NULL,                 -- the first 64 KiB, as it came
    body_bytes  integer NOT NULL
);

CREATE TABLE dead_letter (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue       text NOT NULL,
    body        bytea NOT NULL,
    body_sha256 bytea NOT NULL,
    reason      text NOT NULL,
    died_at     timestamptz NOT NULL,
    replayed_at timestamptz,
    replayed_by text,
    UNIQUE (queue, body_sha256),
    CHECK ((replayed_at IS NULL) = (replayed_by IS NULL))
);

-- What goes out --------------------------------------------------------------------------------------------------------
-- Whoever changes state adds the message here in the same transaction; only the relay sends it. Events stay: they are
-- the record. The relay asks for `sent_at IS NULL` and never for `id > last`: a late commit would be skipped.

CREATE TABLE event_subject (
    subject  text COLLATE "C" PRIMARY KEY,
    sequence bigint NOT NULL
) WITH (fillfactor = 90);                       -- room on the page: a changed row then touches no index

-- A UUID that begins with the time in milliseconds (version 7 of RFC 9562): new entries of an index stand side by side.
CREATE FUNCTION uuid_by_time() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex(floor(date_part('epoch', clock_timestamp()) * 1000)::bigint), 12, '0')
            || '-7' || substr(gen_random_uuid()::text, 16))::uuid
$$;

CREATE TABLE outbox (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel        text NOT NULL CHECK (channel IN ('command', 'event')),
    message_id     uuid NOT NULL UNIQUE DEFAULT uuid_by_time(),
    name           text NOT NULL,               -- the command's actor, or the event's type
    profile_id     bigint,                      -- a profile, if any: a trigger refuses others
    subject        text COLLATE "C",
    sequence       bigint,
    payload        jsonb NOT NULL,
    correlation_id uuid NOT NULL,
    occurred_at    timestamptz NOT NULL,
    not_before     timestamptz NOT NULL DEFAULT '-infinity',
    sent_at        timestamptz,
    UNIQUE (subject, sequence),
    CONSTRAINT an_event_has_a_subject CHECK ((channel = 'event') = (subject IS NOT NULL AND sequence IS NOT NULL))
)
-- Events stay, so a share of the table would be more each year. What was sent leaves dead entries at the very beginning
-- of outbox_unsent, where each reading has to step over them: they are removed after so many, also where few pages have
-- them.
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 50000, vacuum_index_cleanup = on);
-- Walked in the order of sending. `sent_at` comes first, though it is null in all of it: so nothing else has the order
-- that the relay asks for, and no figures of the planner lead it through the rows that were sent.
CREATE INDEX outbox_unsent ON outbox (sent_at, id) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent_commands ON outbox (sent_at) WHERE channel = 'command'; -- to be pruned

-- Instead of a foreign key, which looks up each row by itself: one look-up for all rows of a statement. No role may
-- delete a profile, and what happened to one profile is never moved to another.
CREATE FUNCTION refuse_unknown_profiles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added a WHERE a.profile_id IS NOT NULL
                                     AND NOT EXISTS (SELECT FROM profile p WHERE p.id = a.profile_id)) THEN
        RAISE EXCEPTION 'a row of % for a profile that there is not', TG_TABLE_NAME USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION refuse_another_profile() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a row of % stays with its profile', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER outbox_of_a_profile AFTER INSERT ON outbox
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_unknown_profiles();
CREATE TRIGGER outbox_stays_with_its_profile BEFORE UPDATE OF profile_id ON outbox
    FOR EACH ROW EXECUTE FUNCTION refuse_another_profile();

CREATE FUNCTION wake_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY outbox;
    RETURN NULL;
END
$$;
CREATE TRIGGER wake_relay AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION wake_relay();

-- Subscriptions --------------------------------------------------------------------------------------------------------

CREATE TABLE person (                           -- the only place of names and e-mails; a row can be erased
    profile_id bigint NOT NULL,
    user_gid   gid NOT NULL,
    name       text,
    email      text,
    PRIMARY KEY (profile_id, user_gid)
);
CREATE TRIGGER person_of_a_profile AFTER INSERT ON person
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_unknown_profiles();
CREATE TRIGGER person_stays_with_its_profile BEFORE UPDATE OF profile_id ON person
    FOR EACH ROW EXECUTE FUNCTION refuse_another_profile();

CREATE TABLE subscription (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id     bigint NOT NULL,             -- a profile: its software model says so
    user_gid       gid NOT NULL,
    membership_gid gid NOT NULL,
    software_model software_model_key NOT NULL,
    is_admin       boolean NOT NULL,
    joined_at      timestamptz NOT NULL,        -- when the membership was made: joined, invited or put back
    state          text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'gone')),
    found_at       timestamptz NOT NULL,
    gone_at        timestamptz,
    gone_because   text CHECK (gone_because IN ('missing', 'reclaimed')),
    UNIQUE (profile_id, user_gid),
    UNIQUE (profile_id, id),
    CONSTRAINT gone_at_a_time_for_a_reason CHECK (
        (state = 'gone') = (gone_at IS NOT NULL) AND (state = 'gone') = (gone_because IS NOT NULL)),
    FOREIGN KEY (profile_id, software_model) REFERENCES software_model (profile_id, key)
) WITH (fillfactor = 90);                       -- room on the page: a changed row then touches no index

-- What a download has listed so far, by its run. Unlogged: after a crash of the server the rows are gone, the run counts
-- fewer than it wrote, and lists again. Without an index: a run's rows are only ever read all at once.
CREATE UNLOGGED TABLE listed_membership (
    run_id         uuid NOT NULL,
    user_gid       gid NOT NULL,
    membership_gid gid NOT NULL,
    is_active      boolean NOT NULL,
    is_admin       boolean NOT NULL,
    is_guest       boolean NOT NULL,
    is_view_only   boolean NOT NULL,
    joined_at      timestamptz NOT NULL,
    confirmed      boolean NOT NULL DEFAULT false -- asked for by itself, because the listing did not show it
);
CREATE UNLOGGED TABLE listed_user (
    run_id   uuid NOT NULL,
    user_gid gid NOT NULL,
    name     text,
    email    text
);
CREATE UNLOGGED TABLE asked_absence (            -- known people whom the listing does not show, each asked for by themselves
    run_id   uuid NOT NULL,
    user_gid gid NOT NULL,
    proven   boolean NOT NULL,                  -- false: Asana would not say, so the person stays
    PRIMARY KEY (run_id, user_gid)
);

CREATE VIEW listed_seat AS                      -- what a run's listing says of each person with a seat
SELECT DISTINCT ON (run_id, user_gid)
       run_id, user_gid, membership_gid, is_admin, joined_at,
       CASE WHEN is_guest THEN 'guest' WHEN is_view_only THEN 'view_only' ELSE 'member' END AS software_model
  FROM listed_membership
 WHERE is_active
 ORDER BY run_id, user_gid, confirmed DESC;     -- a person asked for by themselves is the newer answer

-- Activity: what was seen, and which window was seen completely ----------------------------------------------------------

CREATE TABLE observation (
    profile_id      bigint NOT NULL,
    subscription_id bigint NOT NULL,
    source          activity_source NOT NULL,
    act             text NOT NULL,
    acted_at        timestamptz NOT NULL,
    proof           text NOT NULL,              -- where to look: task/<gid>, task/<gid>/story/<gid>, audit_log_event/<gid>
                                                -- or member_export/<id>/line/<number>
    seen_at         timestamptz NOT NULL,
    PRIMARY KEY (profile_id, subscription_id, acted_at, source) -- of one moment one act; the last one is at the end
);
-- Instead of a foreign key, which looks up each row by itself: one look-up for all rows of a statement.
CREATE FUNCTION refuse_strangers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added a WHERE NOT EXISTS (SELECT FROM subscription s
                                                      WHERE s.profile_id = a.profile_id AND s.id = a.subscription_id)) THEN
        RAISE EXCEPTION 'an act of somebody who has no subscription of this profile' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER observation_of_a_subscription AFTER INSERT ON observation
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION refuse_strangers();

CREATE TABLE coverage (
    profile_id      bigint NOT NULL,
    subscription_id bigint NOT NULL,
    source          activity_source NOT NULL,
    covered         tstzmultirange NOT NULL,    -- a gap stays a gap
    pulled_at       timestamptz NOT NULL,       -- the last try, whether it added coverage or not
    trouble         text,                       -- why the last try added none
    PRIMARY KEY (profile_id, subscription_id, source),
    FOREIGN KEY (profile_id, subscription_id) REFERENCES subscription (profile_id, id)
);

-- A source that is one stream for the whole organization: what it saw completely, it saw for everybody.
CREATE TABLE activity_stream (
    profile_id    bigint NOT NULL REFERENCES profile,
    source        activity_source NOT NULL CHECK (source = 'audit_log'),
    covered       tstzmultirange NOT NULL DEFAULT '{}', -- a gap stays a gap
    resume_offset text,                         -- `start_at` and the offset that Asana gave for it; it may expire, so
                                                -- `covered` says from when
    pulled_at     timestamptz NOT NULL,
    trouble       text,
    PRIMARY KEY (profile_id, source)
);

CREATE TABLE member_export (                    -- each import of what Asana's admin console exports of its members
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id  bigint NOT NULL REFERENCES profile,
    file_sha256 bytea NOT NULL CHECK (octet_length(file_sha256) = 32),
    exported_at timestamptz NOT NULL,           -- nothing later is claimed
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL,
    people      integer NOT NULL CHECK (people >= 0),
    matched     integer NOT NULL CHECK (matched BETWEEN 0 AND people),
    UNIQUE (profile_id, id),
    UNIQUE (profile_id, file_sha256),
    CHECK (exported_at <= imported_at)
);

-- Reclamation ----------------------------------------------------------------------------------------------------------

CREATE TABLE candidate (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id      bigint NOT NULL,
    subscription_id bigint NOT NULL,
    state           text NOT NULL CHECK (state IN (
                        'attention_required', 'ready', 'awaiting_user', 'awaiting_approval', 'awaiting_revocation',
                        'closed_complete', 'closed_skipped', 'closed_canceled')),
    why             text NOT NULL,
    verdict         jsonb NOT NULL,
    found_run       uuid NOT NULL,
    opened_at       timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    closed_at       timestamptz,
    UNIQUE (profile_id, id),
    FOREIGN KEY (profile_id, subscription_id) REFERENCES subscription (profile_id, id),
    FOREIGN KEY (profile_id, found_run) REFERENCES run (profile_id, id),
    CONSTRAINT closed_at_a_time CHECK ((state LIKE 'closed%') = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX one_open_candidate ON candidate (profile_id, subscription_id) WHERE closed_at IS NULL;

CREATE TABLE decision (                         -- the ledger: each change of a candidate, append only
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id      bigint NOT NULL,
    candidate_id    bigint NOT NULL,
    subscription_id bigint NOT NULL,
    user_gid        gid NOT NULL,
    state_from      text,
    state_to        text NOT NULL,
    decided_by      text NOT NULL,
    database_role   text NOT NULL DEFAULT session_user,
    why             text NOT NULL,
    evidence        jsonb NOT NULL,
    decided_at      timestamptz NOT NULL,
    FOREIGN KEY (profile_id, candidate_id) REFERENCES candidate (profile_id, id)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the table % only grows: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER decision_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON decision
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_stay BEFORE DELETE ON outbox
    FOR EACH ROW WHEN (old.channel = 'event' OR old.sent_at IS NULL) EXECUTE FUNCTION refuse_change();

CREATE TABLE plan (
    hash          text PRIMARY KEY CHECK (hash ~ '^[0-9a-f]{64}$'), -- of the canonical content: another content is another plan
    profile_id    bigint NOT NULL REFERENCES profile,
    content       jsonb NOT NULL,               -- what was hashed: rule, people, evidence, times
    made_by       text NOT NULL,
    made_at       timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL CHECK (expires_at > made_at),
    due_at        timestamptz NOT NULL,         -- grace: not before this
    approved_by   text,
    approved_role text,
    approved_at   timestamptz,
    carried_out_at timestamptz,
    expired_at    timestamptz,
    UNIQUE (profile_id, hash),
    CHECK ((approved_at IS NULL) = (approved_by IS NULL) AND (approved_at IS NULL) = (approved_role IS NULL)),
    CONSTRAINT carried_out_only_when_approved CHECK (carried_out_at IS NULL OR approved_at IS NOT NULL),
    CONSTRAINT not_both_carried_out_and_expired CHECK (carried_out_at IS NULL OR expired_at IS NULL)
);
ALTER TABLE run ADD FOREIGN KEY (profile_id, plan_hash) REFERENCES plan (profile_id, hash);

CREATE TABLE plan_item (
    profile_id      bigint NOT NULL,
    plan_hash       text NOT NULL,
    position        integer NOT NULL,
    subscription_id bigint NOT NULL,
    candidate_id    bigint NOT NULL,
    user_gid        gid NOT NULL,
    membership_gid  gid NOT NULL,
    joined_at       timestamptz NOT NULL,       -- as planned: somebody put back since then is another membership
    outcome         text CHECK (outcome IN ('reclaimed', 'kept', 'refused', 'unknown')),
    why             text,
    settled_at      timestamptz,
    PRIMARY KEY (plan_hash, subscription_id),
    UNIQUE (plan_hash, position),
    UNIQUE (profile_id, plan_hash, subscription_id),
    FOREIGN KEY (profile_id, plan_hash) REFERENCES plan (profile_id, hash),
    FOREIGN KEY (profile_id, subscription_id) REFERENCES subscription (profile_id, id),
    FOREIGN KEY (profile_id, candidate_id) REFERENCES candidate (profile_id, id),
    CONSTRAINT settled_with_a_reason CHECK (
        (outcome IS NULL) = (settled_at IS NULL) AND (outcome IS NULL) = (why IS NULL))
);

CREATE TABLE removal (                          -- the intent, written before the call; at most one for each decision
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id      bigint NOT NULL,
    plan_hash       text NOT NULL,
    subscription_id bigint NOT NULL,
    user_gid        gid NOT NULL,
    run_id          uuid NOT NULL,
    state           text NOT NULL CHECK (state IN ('calling', 'done', 'refused', 'never_sent', 'parked')),
    last_look_at    timestamptz NOT NULL,
    last_look       jsonb NOT NULL,             -- what the last look saw
    intended_at     timestamptz NOT NULL,
    call_before     timestamptz NOT NULL,
    answered_at     timestamptz,
    answer          text,
    recovered       boolean NOT NULL DEFAULT false, -- settled by reading afterwards, not by the call's own answer
    recovery_asked_at timestamptz,              -- when the scheduler last asked for it to be read back
    UNIQUE (plan_hash, subscription_id),
    FOREIGN KEY (profile_id, plan_hash, subscription_id) REFERENCES plan_item (profile_id, plan_hash, subscription_id),
    FOREIGN KEY (profile_id, run_id) REFERENCES run (profile_id, id),
    CONSTRAINT answered_unless_calling CHECK ((state = 'calling') = (answered_at IS NULL))
);
CREATE INDEX removal_recent ON removal (profile_id, intended_at);
CREATE INDEX removal_calling ON removal (call_before) WHERE state = 'calling';

-- Entitlements and the license position -----------------------------------------------------------------------------------

CREATE TABLE entitlement (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id     bigint NOT NULL,
    software_model software_model_key NOT NULL,
    quantity       integer NOT NULL CHECK (quantity > 0),
    unit_cost      numeric(12, 4) NOT NULL CHECK (unit_cost >= 0),
    currency       currency NOT NULL,
    starts_on      date NOT NULL,
    ends_on        date,
    order_number   text,
    added_by       text NOT NULL,
    added_at       timestamptz NOT NULL,
    CHECK (ends_on IS NULL OR ends_on >= starts_on),
    FOREIGN KEY (profile_id, software_model) REFERENCES software_model (profile_id, key),
    FOREIGN KEY (profile_id, currency) REFERENCES profile (id, currency) -- amounts of two currencies are never summed
);

CREATE TABLE reconciliation_result (
    run_id               uuid NOT NULL,
    profile_id           bigint NOT NULL,
    software_model       software_model_key NOT NULL,
    as_of                timestamptz NOT NULL,
    owned                integer NOT NULL CHECK (owned >= 0),
    used                 integer NOT NULL CHECK (used >= 0),
    available            integer NOT NULL,
    needed               integer NOT NULL,
    average_unit_cost    numeric(12, 4) NOT NULL,
    true_up_cost         numeric(14, 2) NOT NULL,
    over_licensed_amount numeric(14, 2) NOT NULL,
    potential_savings    numeric(14, 2) NOT NULL,
    currency             currency NOT NULL,
    compliant            boolean NOT NULL,
    PRIMARY KEY (run_id, software_model),
    FOREIGN KEY (profile_id, run_id) REFERENCES run (profile_id, id),
    CONSTRAINT figures_agree CHECK (
        available = greatest(owned - used, 0) AND needed = greatest(used - owned, 0) AND compliant = (needed = 0))
);
CREATE INDEX reconciliation_by_time ON reconciliation_result (profile_id, software_model, as_of DESC);

-- Alerts ---------------------------------------------------------------------------------------------------------------
-- What somebody has to look at, said once through the channels of SEATKEEPER_ALERT_URLS; tried again until it was taken.

CREATE TABLE alert (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_id   bigint REFERENCES profile,
    kind         text NOT NULL CHECK (kind IN ('RunFailed', 'ConnectionLost', 'CoverageOld')),
    about        text NOT NULL UNIQUE,          -- the event, or the profile and the coverage's end: one alert for each
    title        text NOT NULL,
    body         text NOT NULL,                 -- no names, no e-mails, no secrets
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

-- What is read -----------------------------------------------------------------------------------------------------------

CREATE VIEW last_activity AS
SELECT DISTINCT ON (profile_id, subscription_id)
       profile_id, subscription_id, acted_at, act, proof, source
  FROM observation
 ORDER BY profile_id, subscription_id, acted_at DESC;

CREATE VIEW license_position AS                 -- the latest result for each software model
SELECT DISTINCT ON (r.profile_id, r.software_model) p.name AS profile, r.*
  FROM reconciliation_result r JOIN profile p ON p.id = r.profile_id
 ORDER BY r.profile_id, r.software_model, r.as_of DESC;

-- Rights ------------------------------------------------------------------------------------------------------------------
-- The least that each process needs. Only the reclaim role may write an intent.

GRANT SELECT ON ALL TABLES IN SCHEMA public
   TO seatkeeper_scheduler, seatkeeper_worker, seatkeeper_reclaim, seatkeeper_console;
REVOKE SELECT ON connection, credential, authorization_request, person FROM seatkeeper_scheduler;
REVOKE SELECT ON authorization_request FROM seatkeeper_worker, seatkeeper_reclaim;
GRANT SELECT ON schema_version TO seatkeeper_relay, seatkeeper_intake;

GRANT SELECT ON outbox, profile TO seatkeeper_relay;
GRANT UPDATE (sent_at) ON outbox TO seatkeeper_relay;
GRANT SELECT ON run, quarantine, dead_letter, removal TO seatkeeper_relay; -- the figures it shows
GRANT SELECT (id, connection_id, kind, state, theoretical_arrival) ON credential TO seatkeeper_relay; -- and no token
GRANT SELECT (id, alias, requests_per_minute) ON connection TO seatkeeper_relay;

GRANT SELECT ON profile, request, run, plan, outbox, event_subject, quarantine, dead_letter TO seatkeeper_intake;
GRANT INSERT ON request, run, quarantine, dead_letter TO seatkeeper_intake;
GRANT UPDATE ON run TO seatkeeper_intake;

GRANT INSERT ON outbox TO seatkeeper_scheduler, seatkeeper_intake, seatkeeper_worker, seatkeeper_reclaim, seatkeeper_console;
GRANT INSERT, UPDATE ON event_subject TO seatkeeper_scheduler, seatkeeper_intake, seatkeeper_worker, seatkeeper_reclaim, seatkeeper_console;
GRANT SELECT ON event_subject, outbox TO seatkeeper_scheduler, seatkeeper_worker, seatkeeper_reclaim, seatkeeper_console;

GRANT UPDATE ON schedule, plan, removal TO seatkeeper_scheduler;
GRANT DELETE ON outbox TO seatkeeper_scheduler; -- of copies of sent commands: a trigger keeps the rest
GRANT INSERT, UPDATE ON run TO seatkeeper_scheduler, seatkeeper_worker, seatkeeper_reclaim, seatkeeper_console;

GRANT INSERT, UPDATE, DELETE ON person, listed_membership, listed_user, asked_absence TO seatkeeper_worker;
GRANT INSERT, UPDATE ON subscription, coverage, candidate TO seatkeeper_worker;
GRANT INSERT ON observation TO seatkeeper_worker, seatkeeper_reclaim; -- acts are added, never moved
GRANT INSERT ON decision, reconciliation_result TO seatkeeper_worker;
GRANT UPDATE ON credential TO seatkeeper_worker, seatkeeper_reclaim;
GRANT INSERT, UPDATE ON activity_stream TO seatkeeper_worker;
GRANT INSERT, UPDATE, DELETE ON flight TO seatkeeper_worker, seatkeeper_reclaim, seatkeeper_console;
GRANT INSERT, UPDATE ON alert TO seatkeeper_scheduler;

GRANT INSERT, UPDATE ON removal TO seatkeeper_reclaim;
GRANT UPDATE ON profile, plan, plan_item, candidate, subscription TO seatkeeper_reclaim; -- profile: to lock its row
GRANT INSERT, UPDATE ON coverage TO seatkeeper_reclaim;
GRANT INSERT ON decision TO seatkeeper_reclaim;

GRANT INSERT, UPDATE, DELETE ON connection, credential, authorization_request, probe, exemption, schedule TO seatkeeper_console;
GRANT INSERT ON member_export, observation TO seatkeeper_console;
GRANT INSERT, UPDATE ON coverage TO seatkeeper_console;
GRANT INSERT, UPDATE ON profile, software_model, reclamation_rule, plan, plan_item, entitlement, candidate TO seatkeeper_console;
GRANT INSERT ON decision TO seatkeeper_console;
GRANT UPDATE ON dead_letter TO seatkeeper_console;
