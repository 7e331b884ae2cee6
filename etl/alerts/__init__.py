"""Alerts: who is told what when a run fails or the quality of a table gets worse.

Belongs here: what is news after a run, its words, sending it, and the memory of what was told.
Does not belong here: where runs are read from (``assets/alerts.py``), judging (``expectations``).
"""

from etl.alerts.incidents import CheckReport, Report
from etl.alerts.telling import Told, say_test, tell

__all__ = ["CheckReport", "Report", "Told", "say_test", "tell"]
