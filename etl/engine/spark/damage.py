"""What Spark's errors mean: a cluster that is gone, or memory that did not suffice.

Belongs here: telling these apart, without repeating Spark's words, which may quote a value. Does
not belong here: what is tried before a run (``session.py``).
"""

from __future__ import annotations

import re

from etl.domain.errors import ConfigError, DiskFullError, DoisoatError, ServerAwayError

_GONE = re.compile(
    r"SparkContext was shut down|stopped SparkContext|SparkContext has been shutdown|cancelled "
    r"because|Connection refused|StatusCode.UNAVAILABLE|SESSION_CLOSED|SESSION_NOT_FOUND"
    r"|All masters are unresponsive|Answer from Java side is empty|Error while sending or receiving"
)
_MEMORY = re.compile(
    r"OutOfMemoryError|Java heap space|GC overhead limit|Container killed .* memory|OOMKilled"
    r"|UNABLE_TO_ACQUIRE_MEMORY|Not enough memory to build"
)
_FULL = re.compile(r"No space left on device", re.IGNORECASE)


def trouble(error: BaseException) -> DoisoatError | None:
    """Tells what an error of Spark means for whoever runs doisoat.

    Args:
        error: What was raised.

    Returns:
        The error to raise in its place; None where it is none of Spark's, or of no known kind.
    """
    if not _is_sparks(error):
        return None
    words = str(error)
    if _FULL.search(words):
        return DiskFullError(
            "The disk is full.",
            where="[engine.spark] local.dir, or the disks of the workers",
            remedy="Free some space there and run again.",
        )
    if _MEMORY.search(words):
        return ConfigError(
            "Spark ran out of the memory that it may take.",
            where="[engine.spark]",
            remedy="Allow more ([engine.spark] driver.memory, executor.memory), or fewer cores an "
            "executor, each of which takes its share.",
        )
    if _GONE.search(words) or type(error).__name__ == "Py4JNetworkError":
        return ServerAwayError(
            "Spark's cluster has ended, or cannot be reached any more.",
            where="[engine] master",
            remedy="Run again when it is there; a run that broke off has changed nothing in the "
            "target.",
        )
    return None


def _is_sparks(error: BaseException) -> bool:
    """Says whether Spark raised an error: one of its own, or the system's in the way to it.

    Where Java is gone, the first question to it ends with py4j's own error, and later ones with the
    system's, that the connection was refused.
    """
    raised_in = ""
    at = error.__traceback__
    while at is not None:
        raised_in = str(at.tb_frame.f_globals.get("__name__", ""))
        at = at.tb_next
    return any(
        module.split(".")[0] in ("pyspark", "py4j", "grpc")
        for module in (type(error).__module__, raised_in)
    )
