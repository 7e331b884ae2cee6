"""Alerts: who is told what when a run fails or the quality of a table gets worse.

Belongs here: finding what is news after a run, wording and sending it, and remembering what was
told. Does not belong here: reading runs (``assets/alerts.py``) and judging (``expectations``).
"""

from etl.alerts.incidents import CheckReport, Report
from etl.alerts.telling import Told, say_test, tell

__all__ = ["CheckReport", "Report", "Told", "say_test", "tell"]
