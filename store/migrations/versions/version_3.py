"""Connections with children, switches of profiles, four sources of activity, budgets in flight, alerts."""

from store.migrations.plain import carry_out

revision = "3"
down_revision = None  # where nothing is stamped, the database is of version 2


def upgrade() -> None:
    """Carry out the SQL that stands beside this module."""
    carry_out(__file__)
