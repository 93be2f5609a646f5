"""The steps from one version of the schema to the next, as Alembic carries them out: see store/migrating.py."""
