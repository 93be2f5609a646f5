"""A step as plain SQL: the file beside its module, sent as it stands, in the transaction that Alembic opened."""

from pathlib import Path

from alembic import op


def carry_out(module: str) -> None:
    """Send the file of the same name with the ending .sql; no sign in it stands for a parameter."""
    plain = op.get_bind().execution_options(no_parameters=True)
    plain.exec_driver_sql(Path(module).with_suffix(".sql").read_text(encoding="utf-8"))
