"""The waterfall: who is whom, and what disagrees.

Belongs here: the statements of the schema ``core``, one file a step (``sql/core``), how two values
are compared (``sql/macros.sql``) and what must agree for a link (``agreement_rules.csv``). Does not
belong here: how one value is understood (``etl/normalise``).
"""
