"""What Alembic runs for each of its commands: our connection, and a transaction for each step."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
