"""The peak of this process's memory since the last reset (Linux).

Belongs here: the system's counter. Does not belong here: what is measured.
"""

from __future__ import annotations

from pathlib import Path

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def forget_peak() -> bool:
    """Resets the peak; says whether the system allows it."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def peak_bytes() -> int | None:
    """Returns the peak of resident memory; None where the system does not tell."""
    for line in _STATUS.read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None
