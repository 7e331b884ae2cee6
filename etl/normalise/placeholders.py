"""What stands where a name should: ``N/A``, ``vô danh``, a newborn on its mother's name.

Belongs here: recognising such texts (``data/name_placeholders.csv``, ``data/newborn_words.csv``).
Does not belong here: texts that are no words at all (``names``).
"""

from __future__ import annotations

import re
from functools import cache

from etl.normalise.files import read_rows
from etl.normalise.syllables import unaccent

# A surname of this share, in percent, or more is never a middle name after "Con".
_COMMON_SURNAME = 1.0


@cache
def _whole() -> frozenset[str]:
    return frozenset(row["name"] for row in read_rows("name_placeholders.csv"))


@cache
def _beginnings() -> tuple[str, ...]:
    rows = read_rows("name_placeholders.csv")
    return tuple(row["name"] + " " for row in rows if row["match"] == "start")


@cache
def _newborn_words() -> dict[str, str]:
    return {row["part"]: f"(?:{row['words']})" for row in read_rows("newborn_words.csv")}


@cache
def _common_surnames() -> str:
    rows = read_rows("name_frequencies.csv", "etl.domain")
    common = {
        row["value"].lower()
        for row in rows
        if row["part"] == "surname" and float(row["share_percent"]) >= _COMMON_SURNAME
    }
    return "|".join(sorted(common | set(map(unaccent, common))))


@cache
def _newborn() -> re.Pattern[str]:
    """A newborn's stand-in, from the first word on; nobody has the surname Con, Bé or Trẻ.

    Child of a parent (Con thứ hai của bà Lan, Bé gái con chị Lan), child of somebody named (Con của
    Nguyễn Thị Lan, Con Nguyễn Thị Lan), a child by its sex (Bé trai …), newly born (Trẻ sơ sinh).
    """
    w = _newborn_words()
    child = f"(?:{w['child']}|{w['child_plain']})"
    about = f"(?:{w['sex']}|{w['born']}|{w['born_plain']})"
    opening = f"(?:{child} )*(?:{about} )*"
    of_parent = f"{opening}con (?:{w['sex']} )?(?:{w['order']} )*(?:{w['of']} )?{w['parent']} "
    of_somebody = f"{opening}con (?:{w['sex']} )?(?:{w['order']} )*{w['of']} "
    of_a_mother = f"con (?:{_common_surnames()}) (?:thị|thi) "
    of_a_sex = f"{w['child']} {about}(?: |$)"
    born = f"{w['born']}(?: |$)"
    return re.compile("|".join((of_parent, of_somebody, of_a_mother, of_a_sex, born)))


@cache
def _newborn_in_brackets() -> re.Pattern[str]:
    w = _newborn_words()
    nth = f"(?: (?:{w['order']}|\\d+))*"
    born = f"(?:{w['born']}|{w['born_plain']})"
    return re.compile(f"(?:{w['child']} )?{born}|con(?: {w['sex']})?{nth}")


def is_stand_in(name: str) -> bool:
    """Whether a whole name says that there is none, or whose child it is.

    Args:
        name: Canonical, in small letters.
    """
    if name in _whole() or name.startswith(_beginnings()):
        return True
    return _newborn().match(name) is not None


def makes_a_stand_in(brackets: str) -> bool:
    """Whether brackets behind a name say that it is a mother's: ``Nguyễn Thị Lan (con)``.

    Args:
        brackets: With what is in them; ``(con bà Lan)`` only tells two persons apart.
    """
    inside = " ".join(brackets.strip(" ()[]\t").lower().split())
    return inside in _whole() or _newborn_in_brackets().fullmatch(inside) is not None


@cache
def opening_words() -> frozenset[str]:
    """The words with which a stand-in begins: a name that does so is looked at closely."""
    rows = read_rows("newborn_words.csv")
    texts = [row["words"] for row in rows if row["part"] in ("child", "born", "born_plain")]
    beginnings = _whole().union(*(text.split("|") for text in texts))
    return frozenset(text.split()[0] for text in beginnings)
