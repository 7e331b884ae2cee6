"""Alembic's entry: runs the changes on the connection that ``etl/state/schema.py`` hands over.

If only the statements are wanted (``doisoat state migrate --sql``), the connection only tells the
product and what is there already, and nothing is written on it.
"""

from alembic import context

given = context.config.attributes
dialect = given["connection"].dialect
product = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
where = (
    {"dialect_name": product, "literal_binds": True}
    if context.is_offline_mode()
    else {"connection": given["connection"]}
)
context.configure(
    **where,
    version_table=given["version_table"],
    version_table_schema=given["schema"],
)
with context.begin_transaction():
    context.run_migrations()
