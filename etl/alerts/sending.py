"""Sending a message through Apprise, to each receiver by itself.

Belongs here: sending, and keeping secrets out of what Apprise reports. Does not belong here: what
is sent, and what follows from a failure (``telling.py``); how Apprise reads a URL
(``etl/settings/receivers.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote

from etl.settings.receivers import asset, instance_of, open_parts, service_of

TIMEOUT = 20.0
"""Seconds that a receiver may take; a sensor's tick may take 60, so all are sent to at once."""


@dataclass(frozen=True)
class Sent:
    """Whether one receiver accepted a message.

    Attributes:
        service: The kind of receiver, such as ``mailtos``.
        reached: Whether it accepted the message.
        reason: Why not, without the secrets of its URL.
    """

    service: str
    reached: bool
    reason: str = ""


def send(urls: Mapping[int, str], title: str, body: str, kind: str) -> dict[int, Sent]:
    """Sends one message to several receivers at once.

    Args:
        urls: Receivers by number.
        title: The subject.
        body: Plain text.
        kind: ``failure``, ``warning``, ``success`` or ``info``.

    Returns:
        For each receiver, whether it accepted the message, by number.
    """
    if not urls:
        return {}
    with ThreadPoolExecutor(len(urls)) as pool:
        sent = pool.map(lambda url: _send_one(url, title, body, kind), urls.values())
        return dict(zip(urls, sent, strict=True))


def _send_one(url: str, title: str, body: str, kind: str) -> Sent:
    """Sends to one receiver; whatever goes wrong with it must not keep a message from others."""
    try:
        return _tried(url, title, body, kind)
    except Exception as error:  # its words may quote the URL
        return Sent(service_of(url), False, f"sending failed ({type(error).__name__})")


def _tried(url: str, title: str, body: str, kind: str) -> Sent:
    import apprise

    service = instance_of(url)
    if service is None:
        return Sent(service_of(url), False, "Apprise does not know it any more")
    box = apprise.Apprise(asset=asset())
    box.add(service)
    result = box.notify(
        body=body,
        title=title,
        notify_type=kind,
        body_format=apprise.NotifyFormat.TEXT,
        timeout=TIMEOUT,
    )
    if result:
        return Sent(service_of(url), True)
    said = "; ".join(entry.message for entry in result.logs()) or "it gave no reason"
    return Sent(service_of(url), False, _without_secrets(said, url))


_SHORTEST_SECRET = 4


def _without_secrets(text: str, url: str) -> str:
    """Removes from a text all parts of a URL that may not be shown: password, tokens, path."""
    # (User and password once more as wholes: they may contain the signs that divide the rest.)
    place = re.split(r"[/?#]", url.partition("://")[2])[0]
    user, _, password = place.rpartition("@")[0].partition(":")
    pieces = {unquote(user), unquote(password)}
    for written in (url, unquote(url)):
        pieces.update(re.split(r"[/:@?&=,#]+", written))
    for piece in sorted(pieces - open_parts(url), key=len, reverse=True):
        if len(piece) >= _SHORTEST_SECRET:
            text = text.replace(piece, "…")
    return " ".join(text.split())
