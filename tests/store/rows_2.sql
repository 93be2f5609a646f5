-- One organization with something in every table of version 2, written for schema_2.sql.
INSERT INTO connection (alias, base_url, client_id) VALUES ('nord', 'http://127.0.0.1:1', 'nord-app');
INSERT INTO credential (connection_id, kind, state, user_gid, access_token_sealed, connected_at)
SELECT id, kind, 'connected', '1004', 'nord', '2026-03-02 06:00:00Z'
  FROM connection, unnest(ARRAY['personal_access_token', 'service_account']) AS kind WHERE alias = 'nord';
INSERT INTO profile (name, display_name, connection_id, organization_gid, organization_name, status, plan,
                     analyze_activity_from, published_at, leashed, work_goes_to)
SELECT 'nord', 'nord', id, '7001', 'nord', 'published', 'enterprise', '2026-03-02 06:00:00Z', '2026-03-02 06:00:00Z', false, 'nord'
  FROM connection WHERE alias = 'nord';
CREATE TEMP TABLE me ON COMMIT PRESERVE ROWS AS SELECT id FROM profile WHERE name = 'nord';
INSERT INTO software_model SELECT id, key, key, key = 'member' FROM me, unnest(ARRAY['member', 'view_only', 'guest']) AS key;
INSERT INTO reclamation_rule (profile_id, software_model, evidence, notify) SELECT id, 'member', 'work', false FROM me;
INSERT INTO exemption SELECT id, '1003', 'nord', NULL, 'nord', '2026-03-02 06:00:00Z' FROM me;
INSERT INTO schedule (profile_id, kind, cron, time_zone, next_due_at) SELECT id, 'cycle', '0 5 * * *', 'UTC', '2026-03-02 06:00:00Z' FROM me;
INSERT INTO plan SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', id, '{"people": [{"why": "nord"}, {"why": "nord"}]}', 'nord', '2026-03-02 06:00:00Z',
                        '2026-03-02 06:00:00Z'::timestamptz + interval '7 days', '2026-03-02 06:00:00Z', 'nord', 'nord', '2026-03-02 06:00:00Z' FROM me;
INSERT INTO run (id, profile_id, kind, state, correlation_id, requested_by, created_at, started_at, lease_until)
SELECT ('aaaaaaaa-0000-4000-8000-00000000000' || n)::uuid, me.id, kind, 'running', gen_random_uuid(), 'nord',
       '2026-03-02 06:00:00Z', '2026-03-02 06:00:00Z', '2026-03-02 06:00:00Z'
  FROM me, unnest(ARRAY['cycle', 'download', 'activity', 'candidates', 'reclaim', 'reconcile'])
           WITH ORDINALITY AS kinds (kind, n);
INSERT INTO run (id, profile_id, kind, state, cycle_id, correlation_id, requested_by, created_at, started_at, ended_at)
SELECT 'aaaaaaaa-0000-4000-8000-000000000008', id, 'activity', 'finished',
       'aaaaaaaa-0000-4000-8000-000000000001', gen_random_uuid(), 'nord', '2026-03-02 06:00:00Z',
       '2026-03-02 06:00:00Z', '2026-03-02 06:00:00Z' FROM me;
INSERT INTO run (id, profile_id, kind, cycle_id, correlation_id, requested_by, created_at)
SELECT 'aaaaaaaa-0000-4000-8000-000000000009', id, 'download', 'aaaaaaaa-0000-4000-8000-000000000001', gen_random_uuid(), 'nord', '2026-03-02 06:00:00Z' FROM me;
INSERT INTO request SELECT gen_random_uuid(), 'nord', id, 'download', 'nord', '2026-03-02 06:00:00Z',
                           'aaaaaaaa-0000-4000-8000-000000000009' FROM me;
INSERT INTO person SELECT me.id, gid, 'nord ' || gid, 'nord' || gid || '@example.com'
  FROM me, unnest(ARRAY['1001', '1002', '1003', '1004', '7001']) AS gid;
INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at, found_at)
SELECT me.id, gid, '7001' || gid, 'member', gid = '1004', '2026-03-02 06:00:00Z'::timestamptz - interval '900 days', '2026-03-02 06:00:00Z'
  FROM me, unnest(ARRAY['1001', '1002', '1003', '1004', '7001']) AS gid;
INSERT INTO listed_membership SELECT 'aaaaaaaa-0000-4000-8000-000000000002', gid, '7001' || gid, true, gid = '1004',
                                     false, false, '2026-03-02 06:00:00Z' FROM unnest(ARRAY['1001', '1002']) AS gid;
INSERT INTO listed_user SELECT 'aaaaaaaa-0000-4000-8000-000000000002', gid, 'nord ' || gid, 'nord@example.com'
  FROM unnest(ARRAY['1001', '1002']) AS gid;
INSERT INTO asked_absence VALUES ('aaaaaaaa-0000-4000-8000-000000000002', '1003', true);
INSERT INTO observation SELECT s.profile_id, s.id, source, 'nord', '2026-03-02 06:00:00Z'::timestamptz - interval '90 days',
                               'task/7001', '2026-03-02 06:00:00Z'
  FROM subscription s JOIN me ON me.id = s.profile_id, unnest(ARRAY['tasks']) AS source;
INSERT INTO coverage SELECT s.profile_id, s.id, source, tstzmultirange(tstzrange('2026-03-02 06:00:00Z'::timestamptz - interval '99 days',
                            '2026-03-02 06:00:00Z', '[]')), '2026-03-02 06:00:00Z', NULL
  FROM subscription s JOIN me ON me.id = s.profile_id, unnest(ARRAY['tasks']) AS source;
INSERT INTO candidate (profile_id, subscription_id, state, why, verdict, found_run, opened_at, changed_at)
SELECT s.profile_id, s.id, CASE s.user_gid WHEN '1002' THEN 'awaiting_revocation' ELSE 'ready' END, 'nord',
       '{"reason": "nord", "last_act_at": null}', 'aaaaaaaa-0000-4000-8000-000000000004', '2026-03-02 06:00:00Z', '2026-03-02 06:00:00Z'
  FROM subscription s JOIN me ON me.id = s.profile_id WHERE s.user_gid <> '1004';
INSERT INTO decision (profile_id, candidate_id, subscription_id, user_gid, state_to, decided_by, why, evidence, decided_at)
SELECT c.profile_id, c.id, c.subscription_id, '1001', 'ready', 'nord', 'nord', '{}', '2026-03-02 06:00:00Z'
  FROM candidate c JOIN me ON me.id = c.profile_id;
INSERT INTO plan_item (profile_id, plan_hash, position, subscription_id, candidate_id, user_gid, membership_gid, joined_at)
SELECT s.profile_id, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', row_number() OVER (ORDER BY s.id), s.id, c.id, s.user_gid, s.membership_gid, s.joined_at
  FROM subscription s JOIN me ON me.id = s.profile_id JOIN candidate c ON c.subscription_id = s.id
 WHERE s.user_gid IN ('1001', '1002');
INSERT INTO removal (profile_id, plan_hash, subscription_id, user_gid, run_id, state, last_look_at, last_look, intended_at,
                     call_before)
SELECT i.profile_id, i.plan_hash, i.subscription_id, i.user_gid, 'aaaaaaaa-0000-4000-8000-000000000005', 'calling',
       '2026-03-02 06:00:00Z', '{}', '2026-03-02 06:00:00Z', '2026-03-02 06:00:00Z'
  FROM plan_item i JOIN me ON me.id = i.profile_id WHERE i.user_gid = '1002';
INSERT INTO entitlement (profile_id, software_model, quantity, unit_cost, currency, starts_on, added_by, added_at)
SELECT id, 'member', 10, 10, 'USD', '2026-01-01', 'nord', '2026-03-02 06:00:00Z' FROM me;
INSERT INTO reconciliation_result
SELECT 'aaaaaaaa-0000-4000-8000-000000000006', id, 'guest', '2026-03-02 06:00:00Z', 5, 5, 0, 0, 1, 1, 1, 1, 'USD', true FROM me;
INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at)
SELECT 'event', 'RunStarted', id, 'run/nord', 1, '{"profile": "nord"}', gen_random_uuid(), '2026-03-02 06:00:00Z' FROM me;
INSERT INTO event_subject VALUES ('run/nord', 1);
DROP TABLE me;
INSERT INTO quarantine (received_at, reason, body, body_bytes) VALUES ('2026-03-02 06:00:00Z', 'nord', 'nord', 4);
INSERT INTO dead_letter (queue, body, body_sha256, reason, died_at) VALUES ('nord', 'nord', 'nord', 'nord', '2026-03-02 06:00:00Z');
