"""How certain a measured share is.

Belongs here: confidence bounds. Does not belong here: what is counted.
"""

from __future__ import annotations

from math import sqrt

_Z = 1.959964  # two-sided 95% of the normal distribution


def lower_bound(right: int, of: int) -> float | None:
    """Returns the least value that a share has with 95% confidence.

    This is Wilson's bound. If nothing went wrong, it is the rule of three (3 / n), to which the
    exact bound then comes down.
    """
    if of == 0:
        return None
    if right == of:
        return max(0.0, 1 - 3 / of)
    share = right / of
    middle = share + _Z**2 / (2 * of)
    spread = _Z * sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2))
    return (middle - spread) / (1 + _Z**2 / of)


def share(part: int, of: int) -> float | None:
    """Returns a share, or None if the whole is zero."""
    return part / of if of else None
