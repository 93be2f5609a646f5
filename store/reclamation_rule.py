"""The software models of a profile, and the reclamation rule of its paid seat: what has to be unseen, for how long."""

from dataclasses import dataclass

from rules.evidence import Evidence
from store.connect import Connection

SOFTWARE_MODELS = (
    ("member", "Asana member", True),
    ("view_only", "Asana view-only", False),
    ("guest", "Asana guest", False),
)
"""Key, name and whether a seat of it is paid for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """What an operator says about the rule. What is None stays as it is; a new rule wants no work for 60 days."""

    evidence: Evidence | None = None
    threshold_days: int | None = None


async def put(connection: Connection, profile_id: int, said: RuleChange) -> None:
    """Make the models and the rule where they are missing, and change the rule where something is said about it."""
    for key, name, is_paid in SOFTWARE_MODELS:
        await connection.execute(
            """INSERT INTO software_model (profile_id, key, name, is_paid) VALUES (%s, %s, %s, %s)
               ON CONFLICT DO NOTHING""",
            [profile_id, key, name, is_paid],
        )
    # Nobody is notified until notices exist: a rule that promised a notice would never release anybody.
    await connection.execute(
        """INSERT INTO reclamation_rule (profile_id, software_model, threshold_days, evidence, notify)
           VALUES (%s, 'member', 60, 'work', false) ON CONFLICT (profile_id, software_model) DO NOTHING""",
        [profile_id],
    )
    await change(connection, profile_id, said)


async def change(connection: Connection, profile_id: int, said: RuleChange) -> bool:
    """Change the rule, and return whether there is one: a profile that was never published has none."""
    cursor = await connection.execute(
        """UPDATE reclamation_rule
              SET threshold_days = coalesce(%(days)s::integer, threshold_days),
                  evidence = coalesce(%(evidence)s::text, evidence)
            WHERE profile_id = %(profile)s AND software_model = 'member'""",
        {"profile": profile_id, "days": said.threshold_days, "evidence": said.evidence},
    )
    return cursor.rowcount == 1
