-- A complete listing is compared with what is known, and the difference becomes the truth, with its events.
--
-- Runs inside the transaction that ends the download, or alone in psql:
--     BEGIN; SET LOCAL seatkeeper.run = '…'; SET LOCAL seatkeeper.now = '…'; \i store/download.sql
-- Rows that did not change are not written: a second download of the same people costs almost no log.

-- Names and e-mails, the only table that has them.
INSERT INTO person AS p (profile_id, user_gid, name, email)
SELECT DISTINCT ON (u.user_gid) r.profile_id, u.user_gid, u.name, u.email
  FROM listed_user u JOIN run r ON r.id = u.run_id
 WHERE u.run_id = current_setting('seatkeeper.run')::uuid
 ORDER BY u.user_gid
    ON CONFLICT (profile_id, user_gid) DO UPDATE SET name = excluded.name, email = excluded.email
 WHERE (p.name, p.email) IS DISTINCT FROM (excluded.name, excluded.email);

-- Found: a person with a seat that we did not know.
WITH run_now AS (
    SELECT r.*, p.name AS profile, current_setting('seatkeeper.now')::timestamptz AS at
      FROM run r JOIN profile p ON p.id = r.profile_id WHERE r.id = current_setting('seatkeeper.run')::uuid
), found AS (
    INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at, found_at)
    SELECT r.profile_id, l.user_gid, l.membership_gid, l.software_model, l.is_admin, l.joined_at, r.at
      FROM run_now r JOIN listed_seat l ON l.run_id = r.id
     WHERE NOT EXISTS (SELECT FROM subscription s WHERE s.profile_id = r.profile_id AND s.user_gid = l.user_gid)
     ORDER BY l.user_gid
    RETURNING *
), numbered AS (
    INSERT INTO event_subject AS e (subject, sequence)
    SELECT 'subscription/' || id, 1 FROM found ORDER BY id
        ON CONFLICT (subject) DO UPDATE SET sequence = e.sequence + 1
    RETURNING subject, sequence
)
INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at)
SELECT 'event', 'SubscriptionFound', f.profile_id, n.subject, n.sequence,
       jsonb_build_object('profile', r.profile, 'subscription_id', f.id, 'user_gid', f.user_gid,
                          'software_model', f.software_model, 'is_admin', f.is_admin, 'joined_at', f.joined_at),
       r.correlation_id, r.at
  FROM found f JOIN numbered n ON n.subject = 'subscription/' || f.id CROSS JOIN run_now r
 ORDER BY f.id;

-- Returned: a person whose seat was gone before this listing began has one again.
WITH run_now AS (
    SELECT r.*, p.name AS profile, current_setting('seatkeeper.now')::timestamptz AS at
      FROM run r JOIN profile p ON p.id = r.profile_id WHERE r.id = current_setting('seatkeeper.run')::uuid
), returned AS (
    UPDATE subscription s
       SET state = 'active', gone_at = NULL, gone_because = NULL, membership_gid = l.membership_gid,
           software_model = l.software_model, is_admin = l.is_admin, joined_at = l.joined_at
      FROM run_now r JOIN listed_seat l ON l.run_id = r.id
     WHERE s.profile_id = r.profile_id AND s.user_gid = l.user_gid AND s.state = 'gone' AND s.gone_at < r.started_at
    RETURNING s.*
), numbered AS (
    INSERT INTO event_subject AS e (subject, sequence)
    SELECT 'subscription/' || id, 1 FROM returned ORDER BY id
        ON CONFLICT (subject) DO UPDATE SET sequence = e.sequence + 1
    RETURNING subject, sequence
)
INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at)
SELECT 'event', 'SubscriptionReturned', f.profile_id, n.subject, n.sequence,
       jsonb_build_object('profile', r.profile, 'subscription_id', f.id, 'user_gid', f.user_gid,
                          'software_model', f.software_model, 'is_admin', f.is_admin, 'joined_at', f.joined_at),
       r.correlation_id, r.at
  FROM returned f JOIN numbered n ON n.subject = 'subscription/' || f.id CROSS JOIN run_now r
 ORDER BY f.id;

-- Changed: another kind of seat, another role, or another membership of the same person (removed and put back between
-- two downloads): the clock of a new membership starts anew.
WITH run_now AS (
    SELECT r.*, p.name AS profile, current_setting('seatkeeper.now')::timestamptz AS at
      FROM run r JOIN profile p ON p.id = r.profile_id WHERE r.id = current_setting('seatkeeper.run')::uuid
), differing AS (
    SELECT s.id, s.software_model AS old_model, s.is_admin AS old_admin, s.joined_at AS old_joined_at,
           s.membership_gid AS old_membership, l.*
      FROM run_now r
      JOIN listed_seat l ON l.run_id = r.id
      JOIN subscription s ON s.profile_id = r.profile_id AND s.user_gid = l.user_gid AND s.state = 'active'
     WHERE (s.membership_gid, s.software_model, s.is_admin, s.joined_at)
           IS DISTINCT FROM (l.membership_gid, l.software_model, l.is_admin, l.joined_at)
), changed AS (
    UPDATE subscription s
       SET membership_gid = d.membership_gid, software_model = d.software_model, is_admin = d.is_admin,
           joined_at = d.joined_at
      FROM differing d WHERE s.id = d.id
    RETURNING s.*, d.old_model, d.old_admin, d.old_joined_at, d.old_membership
), numbered AS (
    INSERT INTO event_subject AS e (subject, sequence)
    SELECT 'subscription/' || id, 1 FROM changed ORDER BY id
        ON CONFLICT (subject) DO UPDATE SET sequence = e.sequence + 1
    RETURNING subject, sequence
)
INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at)
SELECT 'event', 'SubscriptionChanged', c.profile_id, n.subject, n.sequence,
       jsonb_build_object('profile', r.profile, 'subscription_id', c.id, 'user_gid', c.user_gid,
                          'software_model', c.software_model, 'is_admin', c.is_admin, 'changed',
                          CASE WHEN c.old_membership <> c.membership_gid
                               THEN jsonb_build_object('membership_gid',
                                                       jsonb_build_array(c.old_membership, c.membership_gid))
                               ELSE '{}' END
                          || CASE WHEN c.old_model <> c.software_model
                               THEN jsonb_build_object('software_model', jsonb_build_array(c.old_model, c.software_model))
                               ELSE '{}' END
                          || CASE WHEN c.old_admin <> c.is_admin
                                  THEN jsonb_build_object('is_admin', jsonb_build_array(c.old_admin, c.is_admin))
                                  ELSE '{}' END
                          || CASE WHEN c.old_joined_at <> c.joined_at
                                  THEN jsonb_build_object('joined_at', jsonb_build_array(c.old_joined_at, c.joined_at))
                                  ELSE '{}' END),
       r.correlation_id, r.at
  FROM changed c JOIN numbered n ON n.subject = 'subscription/' || c.id CROSS JOIN run_now r
 ORDER BY c.id;

-- Gone: not listed, and absent when asked for by themselves.
WITH run_now AS (
    SELECT r.*, p.name AS profile, current_setting('seatkeeper.now')::timestamptz AS at
      FROM run r JOIN profile p ON p.id = r.profile_id WHERE r.id = current_setting('seatkeeper.run')::uuid
), gone AS (
    UPDATE subscription s
       SET state = 'gone', gone_at = r.at, gone_because = 'missing'
      FROM run_now r JOIN asked_absence a ON a.run_id = r.id AND a.proven
     WHERE s.profile_id = r.profile_id AND s.user_gid = a.user_gid AND s.state = 'active'
       AND NOT EXISTS (SELECT FROM listed_seat l WHERE l.run_id = r.id AND l.user_gid = s.user_gid)
    RETURNING s.*
), numbered AS (
    INSERT INTO event_subject AS e (subject, sequence)
    SELECT 'subscription/' || id, 1 FROM gone ORDER BY id
        ON CONFLICT (subject) DO UPDATE SET sequence = e.sequence + 1
    RETURNING subject, sequence
)
INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at)
SELECT 'event', 'SubscriptionGone', g.profile_id, n.subject, n.sequence,
       jsonb_build_object('profile', r.profile, 'subscription_id', g.id, 'user_gid', g.user_gid, 'gone_at', r.at),
       r.correlation_id, r.at
  FROM gone g JOIN numbered n ON n.subject = 'subscription/' || g.id CROSS JOIN run_now r
 ORDER BY g.id;
