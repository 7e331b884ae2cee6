"""What a person may set: ``doisoat.toml`` and the environment.

Belongs here: settings, their defaults, and the checks of their values. Does not belong here: using
them.
"""

from etl.settings.model import (
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    IN_A_URL,
    Alerts,
    Console,
    Database,
    Engine,
    Quality,
    Reconcile,
    Schedule,
    Settings,
    Source,
    State,
    Target,
    Ui,
    load_settings,
    refuse_raw,
)

__all__ = [
    "CONFIG_VARIABLE",
    "DEFAULT_CONFIG",
    "IN_A_URL",
    "Alerts",
    "Console",
    "Database",
    "Engine",
    "Quality",
    "Reconcile",
    "Schedule",
    "Settings",
    "Source",
    "State",
    "Target",
    "Ui",
    "load_settings",
    "refuse_raw",
]
