"""People with evidence of every kind, as rows: what `seats explain` and `seats coverage` are tested on.

Times are measured back from the moment at which the rows are written.
"""

import psycopg

from tests.conftest import Database

PROFILES = """
WITH c AS (
    INSERT INTO connection (alias, base_url) VALUES ('acme', 'http://127.0.0.1:1') RETURNING id),
p AS (
    INSERT INTO profile (name, display_name, connection_id, organization_gid, status, plan, time_zone,
                         analyze_activity_from, published_at)
    SELECT name, name, c.id, '1201', 'published', 'advanced', 'Europe/Berlin', now() - interval '90 days', now()
      FROM c, unnest(ARRAY['acme', 'other']) AS name RETURNING id),
m AS (
    INSERT INTO software_model
    SELECT id, key, key, key = 'member' FROM p, unnest(ARRAY['member', 'guest']) AS key)
SELECT count(*) FROM p;
INSERT INTO reclamation_rule SELECT id, 'member', 60, 'work', false FROM profile;
"""
PEOPLE = """
INSERT INTO run (profile_id, kind, state, correlation_id, requested_by, created_at, started_at, ended_at)
SELECT id, 'activity', 'finished', gen_random_uuid(), 'Ola', now() - interval '1 hour', now() - interval '1 hour', now()
  FROM profile WHERE name = 'acme';
INSERT INTO subscription (profile_id, user_gid, membership_gid, software_model, is_admin, joined_at, found_at)
SELECT p.id, n.gid, '9' || n.gid, n.model, n.gid = '104', now() - make_interval(days => n.days), now()
  FROM profile p, (VALUES ('101', 'member', 900), ('102', 'member', 900), ('103', 'member', 20), ('104', 'member', 900),
       ('105', 'member', 900), ('106', 'guest', 900), ('107', 'member', 900)) AS n (gid, model, days)
 WHERE p.name = 'acme';
INSERT INTO person SELECT profile_id, user_gid, 'Person ' || user_gid, 'P' || user_gid || '@example.com'
  FROM subscription;
UPDATE subscription SET state = 'gone', gone_at = now(), gone_because = 'missing' WHERE user_gid = '107';
INSERT INTO observation
SELECT profile_id, id, 'tasks', 'task_completed', now() - make_interval(days => CASE user_gid WHEN '101' THEN 100
       WHEN '102' THEN 10 ELSE 70 END), 'task/7', now()
  FROM subscription WHERE user_gid IN ('101', '102', '105', '107');
INSERT INTO coverage
SELECT s.profile_id, s.id, n.source,
       tstzmultirange(tstzrange(greatest(s.joined_at, now() - interval '80 days'), now())), now()
  FROM subscription s, unnest(ARRAY['tasks', 'search']) AS n (source) WHERE s.user_gid IN ('101', '102', '103', '107');
INSERT INTO coverage
SELECT profile_id, id, 'tasks', tstzmultirange(tstzrange(now() - interval '80 days', now() - interval '30 days'),
       tstzrange(now() - interval '20 days', now())), now() FROM subscription WHERE user_gid = '105';
INSERT INTO coverage
SELECT profile_id, id, 'search', '{}', now(), 'Asana refuses. GET /tasks/1209999999999/stories; answer 403'
  FROM subscription WHERE user_gid = '105';
"""


def write_profiles(database: Database) -> None:
    """Add the published profiles acme and other, their times in Berlin, with nobody in them."""
    execute(database, PROFILES)


def write_people(database: Database) -> None:
    """Add to the profile acme: 101 idle, 102 active, 103 new, 104 an admin nobody asked about, 105 with a gap in tasks
    and refused by search, 106 a guest, 107 gone.
    """
    execute(database, PEOPLE)


def execute(database: Database, statements: str) -> None:
    """Change rows as the database's owner."""
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(statements.encode())
