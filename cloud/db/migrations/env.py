"""Run by Alembic: migrates over the connection that the caller opened, inside the caller's transaction."""

from alembic import context

from cloud.db import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables.METADATA, compare_type=True)
context.run_migrations()
