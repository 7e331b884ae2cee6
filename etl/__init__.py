"""The product as a library: contracts, normalisation, the waterfall, the warehouse, publishing.

Belongs here: everything that a sync does. Does not belong here: Dagster (``assets``) and Great
Expectations (``expectations``), which this package does not import. Only ``etl/cli``, where the
parts are put together, calls ``assets`` and ``console``.
"""
