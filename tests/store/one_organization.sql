-- One organization with something in every table; the words in percent signs are filled in by two_organizations.py.
INSERT INTO connection (alias, base_url, client_id) VALUES ('%(word)s', 'http://127.0.0.1:1', '%(word)s-app');
INSERT INTO connection (alias, base_url, parent_id)
SELECT '%(word)s.child', 'http://127.0.0.1:1', id FROM connection WHERE alias = '%(word)s';
INSERT INTO credential (connection_id, kind, state, user_gid, access_token_sealed, connected_at)
SELECT id, kind, 'connected', '1004', '%(word)s', '%(now)s'
  FROM connection, unnest(ARRAY['personal_access_token', 'service_account']) AS kind WHERE alias = '%(word)s.child';
INSERT INTO flight SELECT id, 'read', 1, gen_random_uuid(), now() + interval '1 hour' FROM credential WHERE access_token_sealed = '%(word)s';
INSERT INTO probe SELECT id, 'page-has-limit', 'confirmed', '%(word)s', '%(now)s' FROM connection WHERE alias = '%(word)s.child';
INSERT INTO profile (name, display_name, connection_id, organization_gid, organization_name, status, plan,
                     analyze_activity_from, published_at, leashed, work_goes_to)
SELECT '%(word)s', '%(word)s', id, '%(base)s', '%(word)s', 'published', 'enterprise', '%(now)s', '%(now)s', false, '%(word)s'
  FROM connection WHERE alias = '%(word)s.child';
CREATE TEMP TABLE me ON COMMIT PRESERVE ROWS AS SELECT id FROM profile WHERE name = '%(word)s';
INSERT INTO software_model SELECT id, key, key, key = 'member' FROM me, unnest(ARRAY['member', 'view_only', 'guest']) AS key;
INSERT INTO reclamation_rule (profile_id, software_model, evidence, notify) SELECT id, 'member', 'work', false FROM me;
INSERT INTO exemption SELECT id, '1003', '%(word)s', NULL, '%(word)s', '%(now)s' FROM me;
INSERT INTO schedule (profile_id, kind, cron, time_zone, next_due_at) SELECT id, 'cycle', '0 5 * * *', 'UTC', '%(now)s' FROM me;
INSERT INTO plan SELECT '%(plan)s', id, '{"people": [{"why": "%(word)s"}, {"why": "%(word)s"}]}', '%(word)s', '%(now)s',
                        '%(now)s'::timestamptz + interval '7 days', '%(now)s', '%(word)s', '%(word)s', '%(now)s' FROM me;
INSERT INTO run (id, profile_id, kind, state, correlation_id, requested_by, created_at, started_at, lease_until)
SELECT ('%(prefix)s-0000-4000-8000-00000000000' || n)::uuid, me.id, kind, 'running', gen_random_uuid(), '%(word)s',
       '%(now)s', '%(now)s', '%(now)s'
  FROM me, unnest(ARRAY['cycle', 'download', 'activity', 'candidates', 'reclaim', 'reconcile'])
           WITH ORDINALITY AS kinds (kind, n);
INSERT INTO run (id, profile_id, kind, state, cycle_id, correlation_id, requested_by, created_at, started_at, ended_at)
SELECT '%(prefix)s-0000-4000-8000-000000000008', id, 'activity', 'finished',
       '%(prefix)s-0000-4000-8000-000000000001', gen_random_uuid(), '%(word)s', '%(now)s',
       '%(now)s', '%(now)s' FROM me;
INSERT INTO run (id, profile_id, kind, cycle_id, correlation_id, requested_by, created_at)
SELECT '%(prefix)s-0000-4000-8000-000000000009', id, 'download', '%(prefix)s-0000-4000-8000-000000000001', gen_random_uuid(), '%(word)s', '%(now)s' FROM me;
INSERT INTO request SELECT gen_random_uuid(), '%(word)s', id, 'download', '%(word)s', '%(now)s',
                           '%(prefix)s-0000-4000-8000-000000000009' FROM me;
INSERT INTO person SELECT me.id, gid, '%(word)s ' || gid, '%(word)s' || gid || '@example.com'
  FROM me, unnest(ARRAY['1001', '1002', '1003', '1004', '%(base)s']) AS gid;
INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at, found_at)
SELECT me.id, gid, '%(base)s' || gid, 'member', gid = '1004', '%(now)s'::timestamptz - interval '900 days', '%(now)s'
  FROM me, unnest(ARRAY['1001', '1002', '1003', '1004', '%(base)s']) AS gid;
INSERT INTO listed_membership SELECT '%(prefix)s-0000-4000-8000-000000000002', gid, '%(base)s' || gid, true, gid = '1004',
                                     false, false, '%(now)s' FROM unnest(ARRAY['1001', '1002']) AS gid;
INSERT INTO listed_user SELECT '%(prefix)s-0000-4000-8000-000000000002', gid, '%(word)s ' || gid, '%(word)s@example.com'
  FROM unnest(ARRAY['1001', '1002']) AS gid;
INSERT INTO asked_absence VALUES ('%(prefix)s-0000-4000-8000-000000000002', '1003', true);
INSERT INTO observation SELECT s.profile_id, s.id, source, '%(word)s', '%(now)s'::timestamptz - interval '90 days',
                               'task/%(base)s', '%(now)s'
  FROM subscription s JOIN me ON me.id = s.profile_id, unnest(ARRAY['tasks', 'search']) AS source;
INSERT INTO coverage SELECT s.profile_id, s.id, source, tstzmultirange(tstzrange('%(now)s'::timestamptz - interval '99 days',
                            '%(now)s', '[]')), '%(now)s', NULL
  FROM subscription s JOIN me ON me.id = s.profile_id, unnest(ARRAY['tasks', 'search']) AS source;
INSERT INTO activity_stream SELECT id, 'audit_log', tstzmultirange(tstzrange('%(now)s'::timestamptz - interval '9 days',
                                   '%(now)s')), '%(word)s', '%(now)s', NULL FROM me;
INSERT INTO member_export (profile_id, file_sha256, exported_at, imported_at, imported_by, people, matched)
SELECT id, sha256('%(word)s'), '%(now)s', '%(now)s', '%(word)s', 5, 5 FROM me;
INSERT INTO candidate (profile_id, subscription_id, state, why, verdict, found_run, opened_at, changed_at)
SELECT s.profile_id, s.id, CASE s.user_gid WHEN '1002' THEN 'awaiting_revocation' ELSE 'ready' END, '%(word)s',
       '{"reason": "%(word)s", "last_act_at": null}', '%(prefix)s-0000-4000-8000-000000000004', '%(now)s', '%(now)s'
  FROM subscription s JOIN me ON me.id = s.profile_id WHERE s.user_gid <> '1004';
INSERT INTO decision (profile_id, candidate_id, subscription_id, user_gid, state_to, decided_by, why, evidence, decided_at)
SELECT c.profile_id, c.id, c.subscription_id, '1001', 'ready', '%(word)s', '%(word)s', '{}', '%(now)s'
  FROM candidate c JOIN me ON me.id = c.profile_id;
INSERT INTO plan_item (profile_id, plan_hash, position, subscription_id, candidate_id, user_gid, membership_gid, joined_at)
SELECT s.profile_id, '%(plan)s', row_number() OVER (ORDER BY s.id), s.id, c.id, s.user_gid, s.membership_gid, s.joined_at
  FROM subscription s JOIN me ON me.id = s.profile_id JOIN candidate c ON c.subscription_id = s.id
 WHERE s.user_gid IN ('1001', '1002');
INSERT INTO removal (profile_id, plan_hash, subscription_id, user_gid, run_id, state, last_look_at, last_look, intended_at,
                     call_before)
SELECT i.profile_id, i.plan_hash, i.subscription_id, i.user_gid, '%(prefix)s-0000-4000-8000-000000000005', 'calling',
       '%(now)s', '{}', '%(now)s', '%(now)s'
  FROM plan_item i JOIN me ON me.id = i.profile_id WHERE i.user_gid = '1002';
INSERT INTO entitlement (profile_id, software_model, quantity, unit_cost, currency, starts_on, added_by, added_at)
SELECT id, 'member', %(quantity)s, 10, 'USD', '2026-01-01', '%(word)s', '%(now)s' FROM me;
INSERT INTO reconciliation_result
SELECT '%(prefix)s-0000-4000-8000-000000000006', id, 'guest', '%(now)s', 5, 5, 0, 0, 1, 1, 1, 1, 'USD', true FROM me;
INSERT INTO outbox (channel, name, profile_id, subject, sequence, payload, correlation_id, occurred_at)
SELECT 'event', 'RunStarted', id, 'run/%(word)s', 1, '{"profile": "%(word)s"}', gen_random_uuid(), '%(now)s' FROM me;
INSERT INTO event_subject VALUES ('run/%(word)s', 1);
INSERT INTO alert (profile_id, kind, about, title, body, raised_at, next_try_at)
SELECT id, 'RunFailed', '%(word)s', '%(word)s', '%(word)s', '%(now)s', '%(now)s' FROM me;
DROP TABLE me;
