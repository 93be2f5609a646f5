-- A complete listing is compared with what is known, and the difference becomes the truth, with its events.
--
-- Runs inside the transaction that ends the download, or alone in psql:
--     BEGIN; SET LOCAL seatkeeper.run = '…'; SET LOCAL seatkeeper.now = '…'; \i store/download.sql
-- Rows that did not change are neither written nor locked: a second download of the same people costs almost no log.

-- A run's rows are new each time, so the planner has no figures for them and takes them for a handful: a nested loop
-- over everybody would be quadratic. Hashing is right for a handful, too.
SET LOCAL enable_nestloop = off;
SET LOCAL jit = off;
SET LOCAL work_mem = '64MB';

-- Names and e-mails, the only table that has them.
WITH run_now AS MATERIALIZED (
    SELECT id, profile_id FROM run WHERE id = current_setting('seatkeeper.run')::uuid
), listed AS MATERIALIZED (
    SELECT DISTINCT ON (u.user_gid) u.user_gid, u.name, u.email, p.user_gid IS NOT NULL AS known
      FROM listed_user u
      LEFT JOIN person p ON p.profile_id = (SELECT profile_id FROM run_now) AND p.user_gid = u.user_gid
     WHERE u.run_id = (SELECT id FROM run_now)
       AND (p.user_gid IS NULL OR (p.name, p.email) IS DISTINCT FROM (u.name, u.email))
     ORDER BY u.user_gid
), renamed AS (
    UPDATE person p SET name = l.name, email = l.email
      FROM listed l
     WHERE l.known AND p.profile_id = (SELECT profile_id FROM run_now) AND p.user_gid = l.user_gid
)
INSERT INTO person (profile_id, user_gid, name, email)
SELECT (SELECT profile_id FROM run_now), user_gid, name, email FROM listed WHERE NOT known;

WITH run_now AS MATERIALIZED (
    SELECT r.*, p.name AS profile, current_setting('seatkeeper.now')::timestamptz AS at
      FROM run r JOIN profile p ON p.id = r.profile_id WHERE r.id = current_setting('seatkeeper.run')::uuid
), difference AS MATERIALIZED (
    SELECT CASE WHEN s.id IS NULL THEN 'SubscriptionFound'
                WHEN s.state = 'gone' THEN 'SubscriptionReturned' ELSE 'SubscriptionChanged' END AS name,
           r.profile_id, r.at, r.started_at, s.id, l.user_gid, l.membership_gid, l.software_model, l.is_admin, l.joined_at,
           s.membership_gid AS old_membership, s.software_model AS old_model, s.is_admin AS old_admin,
           s.joined_at AS old_joined_at
      FROM listed_seat l
      JOIN run_now r ON r.id = l.run_id
      LEFT JOIN subscription s ON s.profile_id = r.profile_id AND s.user_gid = l.user_gid
     WHERE l.run_id = current_setting('seatkeeper.run')::uuid
       AND (s.id IS NULL
            OR s.state = 'gone' AND s.gone_at < r.started_at
            OR s.state = 'active' AND (s.membership_gid, s.software_model, s.is_admin, s.joined_at)
               IS DISTINCT FROM (l.membership_gid, l.software_model, l.is_admin, l.joined_at))
),
-- Found: a person with a seat that we did not know. Nobody else knows their id yet, so their event
-- is number 1 without asking. In JSON a text takes half the work of a domain's value.
found AS (
    INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at, found_at)
    SELECT profile_id, user_gid, membership_gid, software_model, is_admin, joined_at, at
      FROM difference WHERE name = 'SubscriptionFound' ORDER BY user_gid
    RETURNING *
), first_said AS (
    INSERT INTO event_subject (subject, sequence) SELECT 'subscription/' || id, 1 FROM found ORDER BY id
), found_said AS (
    INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at)
    SELECT 'event', 'SubscriptionFound', f.profile_id, 'subscription/' || f.id, 1,
           jsonb_build_object('profile', r.profile, 'subscription_id', f.id, 'user_gid', f.user_gid::text,
                              'software_model', f.software_model::text, 'is_admin', f.is_admin, 'joined_at', f.joined_at),
           r.correlation_id, r.at
      FROM found f CROSS JOIN run_now r ORDER BY f.id
    RETURNING name
),
-- Returned: a person whose seat was gone before this listing began has one again.
returned AS (
    UPDATE subscription s
       SET state = 'active', gone_at = NULL, gone_because = NULL, membership_gid = d.membership_gid,
           software_model = d.software_model, is_admin = d.is_admin, joined_at = d.joined_at
      FROM difference d
     WHERE d.name = 'SubscriptionReturned' AND s.id = d.id AND s.state = 'gone' AND s.gone_at < d.started_at
    RETURNING s.*
),
-- Changed: another kind of seat, another role, or another membership of the same person (removed and put back between
-- two downloads): the clock of a new membership starts anew.
changed AS (
    UPDATE subscription s
       SET membership_gid = d.membership_gid, software_model = d.software_model, is_admin = d.is_admin,
           joined_at = d.joined_at
      FROM difference d
     WHERE d.name = 'SubscriptionChanged' AND s.id = d.id AND s.state = 'active'
    RETURNING s.*, d.old_model, d.old_admin, d.old_joined_at, d.old_membership
),
-- Gone: not listed, and absent when asked for by themselves.
gone AS (
    UPDATE subscription s
       SET state = 'gone', gone_at = r.at, gone_because = 'missing'
      FROM run_now r JOIN asked_absence a ON a.run_id = r.id AND a.proven
     WHERE s.profile_id = r.profile_id AND s.user_gid = a.user_gid AND s.state = 'active'
       AND NOT EXISTS (SELECT FROM listed_membership l
                        WHERE l.run_id = current_setting('seatkeeper.run')::uuid AND l.is_active
                          AND l.user_gid = s.user_gid)
    RETURNING s.*
), event AS (
    SELECT 1 AS part, 'SubscriptionReturned' AS name, id, profile_id, user_gid, software_model, is_admin,
           jsonb_build_object('joined_at', joined_at) AS more FROM returned
    UNION ALL
    SELECT 2, 'SubscriptionChanged', id, profile_id, user_gid, software_model, is_admin,
           jsonb_build_object('changed',
               CASE WHEN old_membership <> membership_gid
                    THEN jsonb_build_object('membership_gid', jsonb_build_array(old_membership, membership_gid))
                    ELSE '{}' END
               || CASE WHEN old_model <> software_model
                       THEN jsonb_build_object('software_model', jsonb_build_array(old_model, software_model))
                       ELSE '{}' END
               || CASE WHEN old_admin <> is_admin
                       THEN jsonb_build_object('is_admin', jsonb_build_array(old_admin, is_admin))
                       ELSE '{}' END
               || CASE WHEN old_joined_at <> joined_at
                       THEN jsonb_build_object('joined_at', jsonb_build_array(old_joined_at, joined_at))
                       ELSE '{}' END) FROM changed
    UNION ALL
    SELECT 3, 'SubscriptionGone', id, profile_id, user_gid, NULL, NULL, jsonb_build_object('gone_at', gone_at) FROM gone
), numbered AS (
    INSERT INTO event_subject AS e (subject, sequence)
    SELECT 'subscription/' || id, 1 FROM event ORDER BY id
        ON CONFLICT (subject) DO UPDATE SET sequence = e.sequence + 1
    RETURNING subject, sequence
), said AS (
    INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at)
    SELECT 'event', e.name, e.profile_id, n.subject, n.sequence,
           jsonb_build_object('profile', r.profile, 'subscription_id', e.id, 'user_gid', e.user_gid)
           || CASE WHEN e.software_model IS NULL THEN '{}'
                   ELSE jsonb_build_object('software_model', e.software_model, 'is_admin', e.is_admin) END
           || e.more,
           r.correlation_id, r.at
      FROM event e
      JOIN numbered n ON n.subject = 'subscription/' || e.id
      JOIN run_now r ON r.profile_id = e.profile_id
     ORDER BY e.part, e.id
    RETURNING name
)
SELECT name, count(*) FROM (SELECT name FROM found_said UNION ALL SELECT name FROM said) AS all_said GROUP BY name;
