"""Alembic's entry: runs the changes on the connection that ``etl/state/schema.py`` hands over."""

from alembic import context

given = context.config.attributes
context.configure(
    connection=given["connection"],
    version_table=given["version_table"],
    version_table_schema=given["schema"],
)
with context.begin_transaction():
    context.run_migrations()
