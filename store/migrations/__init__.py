"""The steps from one version of the schema to the next, as Alembic carries them out: see store/migrating.py.

A change of schema.sql that is to reach databases in use: raise the version there and in store/connect.py, add
versions/version_<N>.py (revision "<N>", down_revision of the one before, a first line that says what it brings) and
versions/version_<N>.sql, which ends by setting schema_version. tests/store/test_migrations.py compares both ways.
"""
