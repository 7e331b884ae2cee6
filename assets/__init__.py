"""Dagster: the assets, checks, jobs and schedules of the sync.

Belongs here: orchestration, and what the Dagster UI shows. Does not belong here: what a table
means (``etl``) and what must be true of it (``expectations``).
"""
