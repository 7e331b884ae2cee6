"""Pages made from templates: languages, labels, escaped values, marked differences, the chart.

Belongs here: what templates may call. Does not belong here: what they show (``workbench.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from console import words
from console.guard import TOKEN_FIELD
from etl.domain import codes
from etl.domain.showing import in_html
from etl.domain.words import COMPARED, DECISIONS, FIELDS, GENDERS, LEVELS, Words, times
from etl.explain.gather import COMPARISONS, Person, Story
from etl.explain.tell import born, text
from etl.explain.text import MARKS
from etl.normalise.places import province_names
from etl.settings import Settings
from etl.stewards.marking import Piece, marked

_LONGEST = 500
"""Characters of a value that are shown."""


class Renderer:
    """Makes pages from templates."""

    def __init__(self, settings: Settings) -> None:
        """Loads the templates.

        Args:
            settings: They name the time zone of the moments shown.
        """
        self._settings = settings
        environment = Environment(
            loader=PackageLoader("console", "templates"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        labels = codes.labels()
        environment.filters |= {
            "t": _in_language,
            "shown": _shown,
            "whole": _whole,
            "moment": lambda moment: settings.schedule.local(moment).strftime("%d/%m/%Y %H:%M"),
            "day": lambda moment: settings.schedule.local(moment).strftime("%d/%m/%Y"),
            "number": _number,
            "percent": _percent,
        }
        environment.globals |= {
            "say": words.SAID,
            "queue_names": words.QUEUES,
            "age_names": words.AGES,
            "chance_names": words.CHANCES,
            "role_names": words.ROLES,
            "fields": FIELDS,
            "decisions": DECISIONS,
            "label": lambda code: labels.get(code) or Words(code, code),
            "province": province_names().get,
            "side_by_side": compared,
            "levels": LEVELS,
            "words_of": COMPARED,
            "commands": words.COMMANDS,
            "chart": chart,
            "mark_of": MARKS,
            "token_field": TOKEN_FIELD,
            "version": version("doisoat"),
        }
        self._environment = environment

    def page(
        self, request: Request, template: str, told: Mapping[str, Any], status: int = 200
    ) -> Response:
        """Makes a page.

        Args:
            request: Whose user and language count.
            template: Its name.
            told: The values that it shows.
            status: Of the answer.
        """
        state = request.state
        session = getattr(state, "session", None)
        language = session.language if session else _of_browser(request)
        shared = {
            "language": language,
            "user": getattr(state, "user", None),
            "token": session.token if session else "",
            "proxied": getattr(state, "proxied", None) is not None,
            "path": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "run": None, "said": (), "problem": None, "asked_of_me": 0,
        }  # fmt: skip
        page = self._environment.get_template(template).render({**shared, **told})
        return HTMLResponse(page, status_code=status)


def _of_browser(request: Request) -> str:
    return "en" if request.headers.get("Accept-Language", "").lower().startswith("en") else "vi"


@pass_context
def _in_language(context: Context, said: Words) -> str:
    return str(getattr(said, context["language"]))


_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


def _shown(value: object) -> Markup:
    """A recorded value as escaped text; a date in the Vietnamese way of writing."""
    written = text(value)
    if day := _DAY.fullmatch(written):
        written = "/".join(reversed(day.groups()))
    return Markup(in_html(written, _LONGEST))  # noqa: S704 - escaped by in_html


def _whole(value: object) -> Markup:
    """A colleague's whole text, escaped."""
    return Markup(in_html(str(value)))  # noqa: S704 - escaped by in_html


def _number(value: int) -> str:
    return f"{value:,}".replace(",", ".")


def _percent(probability: float | None) -> str:
    if probability is None:
        return "—"
    if 0.995 <= probability < 1:
        return ">99%"
    return f"{probability:.0%}"


# --- record and citizen, side by side -----------------------------------------------------------


def compared(story: Story, person: Person, language: str) -> list[dict[str, Any]]:
    """Returns the facts of a record beside those of a citizen, and where they differ.

    Returns:
        By field: its words, both values as marked up text, and whether they differ.
    """
    record, citizen = story.understood or {}, person.citizen
    recorded: Mapping[str, Any] = story.recorded[0] if story.recorded else {}
    sides: list[tuple[str, object, object, bool]] = [
        ("full_name", recorded.get("full_name"), citizen["full_name"], True),
        ("date_of_birth", _born(record), _born(citizen), True),
        ("gender", _sex(record, language), _sex(citizen, language), False),
        ("insurance_number", recorded.get("insurance_number"), None, False),
        ("id_number", recorded.get("id_number"), citizen["personal_id"], True),
        ("province_code", record.get("province"), citizen["province"], False),
        ("address", recorded.get("address"), citizen["address"], True),
    ]
    return [_side_by_side(*side) for side in sides]


def _born(row: Mapping[str, Any]) -> str | None:
    """A birth date as far as it is known, without words for its precision."""
    return born(dict(row)).vi.partition(" (")[0] if row.get("birth_year") is not None else None


def _sex(row: Mapping[str, Any], language: str) -> str | None:
    known = GENDERS.get(str(row.get("gender")))
    return str(getattr(known, language)) if known else None


def _side_by_side(field: str, ours: object, theirs: object, by_letter: bool) -> dict[str, Any]:
    one, other = text(ours), text(theirs)
    both = ours not in (None, "") and theirs not in (None, "")
    differ = both and one.casefold() != other.casefold()
    if differ and field == "date_of_birth":
        left, right = _dates(one, other), _dates(other, one)
    elif differ and by_letter:
        pieces = marked(one[:_LONGEST], other[:_LONGEST])
        left, right = map(_marked, pieces)
    elif differ:
        left, right = (_marked([Piece(value, False)]) for value in (one, other))
    else:
        left, right = _shown(ours), _shown(theirs)
    return {"field": FIELDS[field], "ours": left, "theirs": right, "differ": differ}


def _dates(one: str, other: str) -> Markup:
    """Marks day, month and year that differ, each as a whole: 05/09 beside 09/05."""
    ours, theirs = one.split("/")[::-1], other.split("/")[::-1]
    parts = [
        _marked([Piece(part, at < len(theirs) and part == theirs[at])])
        for at, part in enumerate(ours)
    ]
    return Markup("/").join(reversed(parts))


def _marked(pieces: list[Piece]) -> Markup:
    return Markup("").join(
        _shown(piece.text)
        if piece.is_shared
        else Markup("<mark>{}</mark>").format(_shown(piece.text))
        for piece in pieces
    )


# --- the chart of the evidence ------------------------------------------------------------------

_WIDTH, _LABELS, _ROW, _NUMBERS = 640, 210, 26, 90


def chart(person: Person, language: str) -> Markup:
    """Draws the weight of each comparison as a bar from the middle: an image without scripts.

    Args:
        person: A citizen whose evidence was weighed.
        language: Of the labels.
    """
    weights = [
        (name, weight)
        for name in COMPARISONS
        if person.weights and (weight := person.weights.get(name)) is not None
    ]
    most = max((abs(weight) for _, weight in weights), default=1.0) or 1.0
    half = (_WIDTH - _LABELS - 2 * _NUMBERS) / 2
    middle = _LABELS + _NUMBERS + half
    rows = []
    for at, (name, weight) in enumerate(weights):
        top, length = at * _ROW, max(abs(weight) / most * half, 1)
        left = middle if weight >= 0 else middle - length
        said = getattr(COMPARED[name], language)
        many = f"{'×' if weight >= 0 else '÷'} {getattr(times(weight), language)}"
        end, anchor = (left + length + 6, "start") if weight >= 0 else (left - 6, "end")
        level = getattr(LEVELS[name, person.levels[name]], language)
        rows.append(
            Markup(
                '<g><title>{said}: {level}</title><text x="{label}" y="{y}" text-anchor="end">'
                '{said}</text><rect class="{side}" x="{left:.1f}" y="{top}" width="{length:.1f}" '
                'height="16" rx="2"/><text class="amount" x="{end:.1f}" y="{y}" '
                'text-anchor="{anchor}">{times}</text></g>'
            ).format(
                said=said, level=level, label=_LABELS - 10, y=top + 17, top=top + 4,
                side="for" if weight >= 0 else "against", left=left, length=length, end=end,
                anchor=anchor, times=many,
            )
        )  # fmt: skip
    height = len(weights) * _ROW + 4
    return Markup(
        '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
        '<line x1="{middle:.1f}" y1="0" x2="{middle:.1f}" y2="{height}"/>{rows}</svg>'
    ).format(
        width=_WIDTH, height=height, label=getattr(words.SAID["chart"], language), middle=middle,
        rows=Markup("").join(rows),
    )  # fmt: skip
