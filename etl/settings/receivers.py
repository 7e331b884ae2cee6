"""The URL of a receiver of alerts, as Apprise reads it.

Belongs here: whether Apprise can send to a URL, and which parts of it are no secret. Does not
belong here: sending (``etl/alerts/sending.py``).
"""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import Any


def is_known(url: str) -> bool:
    """Says whether Apprise can send to a URL; nothing is sent."""
    return instance_of(url) is not None


def service_of(url: str) -> str:
    """Returns the scheme of a URL, the one part of it that may be shown."""
    scheme, mark, _ = url.partition("://")
    return scheme.lower() if mark else ""


_BEFORE_HOST = r"^\{schema\}://(?:[^@/]*@)?"
_HOST_OF_A_FORM = re.compile(_BEFORE_HOST + r"\{host\}(?![^:/?])")
_HOST_OF_A_URL = re.compile(
    r"^[^:]+://(?:[^/?#]*@)?(\[[^\]/]*\]|[^:/?#@]*)(?::(\d{1,5}))?(?![^/?#])"
)


def open_parts(url: str) -> frozenset[str]:
    """Returns the parts of a URL that may be shown: its scheme, and its host and port.

    Many services have a token or a part of it where other URLs have host and port, such as
    ``tgram://BOT:TOKEN/…``: of these the scheme alone may be shown. Apprise names the forms that
    the URL of a service may have.
    """
    service = instance_of(url)
    forms = tuple(service.templates) if service is not None else ()
    parts = {service_of(url)}
    if forms and all(map(_HOST_OF_A_FORM.match, forms)) and (found := _HOST_OF_A_URL.match(url)):
        parts |= {found[1], found[1].lower(), found[2] or ""}
    return frozenset(parts - {""})


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
