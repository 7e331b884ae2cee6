"""The URL of a receiver of alerts, as Apprise reads it.

Belongs here: whether Apprise can send to a URL. Does not belong here: sending
(``etl/alerts/sending.py``).
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any
from urllib.parse import urlsplit


def is_known(url: str) -> bool:
    """Says whether Apprise can send to a URL; nothing is sent."""
    return instance_of(url) is not None


def service_of(url: str) -> str:
    """Returns the scheme of a URL, the one part of it that may be shown."""
    return urlsplit(url).scheme


def instance_of(url: str) -> Any:
    """Returns Apprise's receiver for a URL, or None where it has none."""
    import apprise

    return apprise.Apprise.instantiate(url, asset=asset())


@cache
def asset() -> Any:
    """Apprise's settings: no pictures of its own, nothing kept on disk, nothing logged."""
    import apprise

    # Apprise logs URLs with their secrets, and Dagster and terminals show what is logged.
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    return apprise.AppriseAsset(
        app_id="doisoat",
        app_desc="doisoat",
        app_url="",
        image_url_mask="",
        image_path_mask="",
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
