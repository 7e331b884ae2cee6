"""Forms: how a worklist looks, read from the templates and proven to be usable.

Belongs here: what a template may say, and what is wrong with one. Does not belong here: what the
rows hold (``queries/rows.sql``) and how a file is written (``writing.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from etl.domain.codes import ANSWER_LABELS, Label
from etl.domain.errors import ConfigError
from etl.process.files import unreadable
from etl.settings import Settings

Language = Literal["vi", "en"]


class Shape(StrEnum):
    """What a worklist asks of an office."""

    MATCHED = "matched"
    NOT_MATCHED = "not_matched"
    CORRECTIONS = "corrections"


class Answer(StrEnum):
    """What an office may answer; the words are in ``etl/domain/codes.py``."""

    CONFIRMED = "confirmed"
    LINK_1 = "link_1"
    LINK_2 = "link_2"
    LINK_3 = "link_3"
    OTHER_CITIZEN = "other_citizen"
    NOT_THIS_CITIZEN = "not_this_citizen"
    NO_CANDIDATE = "no_candidate"
    NOT_A_PERSON = "not_a_person"
    KEEP_THIS_RECORD = "keep_this_record"
    CORRECTED_AT_SOURCE = "corrected_at_source"
    CANNOT_BE_SETTLED = "cannot_be_settled"


_OF_ANY = {
    Answer.OTHER_CITIZEN,
    Answer.NOT_A_PERSON,
    Answer.CORRECTED_AT_SOURCE,
    Answer.CANNOT_BE_SETTLED,
}
_OF_LINKED = _OF_ANY | {Answer.CONFIRMED, Answer.NOT_THIS_CITIZEN}

ANSWERS: Mapping[Shape, frozenset[Answer]] = MappingProxyType(
    {
        Shape.MATCHED: frozenset(_OF_LINKED),
        Shape.NOT_MATCHED: frozenset(
            _OF_ANY | {Answer.LINK_1, Answer.LINK_2, Answer.LINK_3, Answer.NO_CANDIDATE}
        ),
        Shape.CORRECTIONS: frozenset(_OF_LINKED | {Answer.KEEP_THIS_RECORD}),
    }
)
"""The answers that make sense for each shape, that is for linked records and for others."""

SOURCES: tuple[str, ...] = (
    "number", "worklist_id", "record_id", "insurance_number", "full_name", "date_of_birth",
    "gender", "id_number", "health_card_number", "address", "commune", "office", "employer_code",
    "province_code", "province", "status", "code", "problem", "problems", "field", "field_name",
    "recorded_value", "population_value", "proposed_value", "basis", "evidence", "proposals",
    "personal_id", "citizen_name", "citizen_name_capitals", "citizen_birth", "citizen_gender",
    "citizen_address", "citizen_commune", "citizen_province",
    *(
        f"candidate_{n}_{what}"
        for n in (1, 2, 3)
        for what in ("number", "name", "birth", "gender", "address", "why")
    ),
    "route", "corrected_by", "age_days", "due_on", "times_sent", "key",
)  # fmt: skip
"""What a column of a worklist may show; each is described in docs/worklists.md."""

KEY, ANSWER, CITIZEN_NUMBER, NOTE = "key", "answer", "citizen_number", "note"
"""The columns that the import interprets; the content of any other input is added to the note."""

FILES = MappingProxyType(
    {
        Shape.MATCHED: "matched",
        Shape.NOT_MATCHED: "not_matched",
        Shape.CORRECTIONS: "corrections",
    }
)
"""The template of each shape."""

EMPLOYER_FILE = "corrections_employer"
"""The template of corrections that an employer is sent."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Strict):
    """Something said in both languages."""

    vi: Annotated[str, Field(min_length=1)]
    en: Annotated[str, Field(min_length=1)]

    def in_(self, language: Language) -> str:
        """Returns it in one of them."""
        return self.vi if language == "vi" else self.en


class Column(Words):
    """One column: a value that is shown, or a cell that the office fills in.

    Attributes:
        source: What it shows, of ``SOURCES``.
        input: What is written into it: ``answer``, ``citizen_number``, ``note``, or a name of the
            template's own, whose content is added to the note.
        width: Its width in characters.
    """

    source: str | None = None
    input: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] | None = None
    width: Annotated[float, Field(ge=3, le=100)] = 14

    @property
    def name(self) -> str:
        """Its name in CSV and JSON Lines."""
        return self.source or self.input or ""

    @model_validator(mode="after")
    def _shows_or_asks(self) -> Column:
        if (self.source is None) == (self.input is None):
            raise ValueError("needs either 'source' or 'input', and not both")
        if self.source is not None and self.source not in SOURCES:
            raise ValueError(f"'source' is none of {', '.join(SOURCES)}")
        if self.input in SOURCES:
            raise ValueError("'input' has the name of a source; name it otherwise")
        return self


_LABELS: Mapping[str, Label] = MappingProxyType({label.code: label for label in ANSWER_LABELS})


class Offered(_Strict):
    """An answer that is offered.

    Attributes:
        code: Which.
        vi: Words of the template's own, in place of those of ``etl/domain/codes.py``.
        en: The same in English.
        means: What it means, for the cover sheet.
    """

    code: Answer
    vi: str | None = None
    en: str | None = None
    means: Words

    def in_(self, language: Language) -> str:
        """Returns the words that the office chooses."""
        label = _LABELS[self.code]
        return (self.vi or label.vi) if language == "vi" else (self.en or label.en)


_NOT_IN_A_SHEETS_NAME = re.compile(r"[\[\]:*?/\\]")
_LONGEST_SHEET_NAME = 31


class Form(_Strict):
    """A template: what a worklist says and asks.

    Attributes:
        shape: Which rows it is for.
        form: What the offices call the form, such as ``01``; may be empty.
        title: Its title on the cover sheet.
        sheet: The name of its sheet.
        purpose: What it is, in a sentence.
        steps: How to fill it, a sentence each.
        answers: What may be answered, in the order of the drop-down.
        columns: The columns, from the left.
    """

    shape: Shape
    form: str = ""
    title: Words
    sheet: Words
    purpose: Words
    steps: tuple[Words, ...]
    answers: Annotated[tuple[Offered, ...], Field(min_length=1)]
    columns: Annotated[tuple[Column, ...], Field(min_length=3)]

    @field_validator("sheet")
    @classmethod
    def _sheet_can_be_named(cls, sheet: Words) -> Words:
        for words in (sheet.vi, sheet.en):
            if _NOT_IN_A_SHEETS_NAME.search(words) or len(words) > _LONGEST_SHEET_NAME:
                raise ValueError(
                    "the name of a sheet has 31 characters at most and none of [ ] : * ? / \\"
                )
        return sheet

    @model_validator(mode="after")
    def _comes_back(self) -> Form:
        names = [column.name for column in self.columns]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"columns: {', '.join(twice)} stands twice")
        for language in ("vi", "en"):
            said = [getattr(column, language).strip().casefold() for column in self.columns]
            if len(set(said)) < len(said):
                raise ValueError(f"columns: two have the same heading ({language})")
        inputs = {column.input for column in self.columns}
        if KEY not in names or not {ANSWER, NOTE} <= inputs:
            raise ValueError(
                "columns: the source 'key' and the inputs 'answer' and 'note' must be there, or no "
                "answer could be taken in"
            )
        strange = [one.code for one in self.answers if one.code not in ANSWERS[self.shape]]
        if strange:
            raise ValueError(f"answers: {', '.join(strange)} has no meaning on such a row")
        if (
            any(one.code is Answer.OTHER_CITIZEN for one in self.answers)
            and CITIZEN_NUMBER not in inputs
        ):
            raise ValueError("answers: other_citizen needs a column with input: citizen_number")
        return self


def load_forms(settings: Settings) -> dict[str, Form]:
    """Returns the forms by the name of their template: those of the package, and the office's own.

    Raises:
        ConfigError: A template cannot be read, or is not valid.
    """
    shipped = files("etl.stewards.worklists").joinpath("templates")
    own = settings.worklists.templates
    if own is not None and not own.is_dir():
        raise ConfigError(
            "The folder of the worklists' templates is not there.",
            where=str(own),
            remedy="Make it, or leave [worklists] templates out.",
        )
    forms = {}
    for name in (*FILES.values(), EMPLOYER_FILE):
        file = own / f"{name}.yaml" if own else None
        if file is not None and file.exists():
            forms[name] = _read(file, name)
        else:
            text = shipped.joinpath(f"{name}.yaml").read_text("utf-8")
            forms[name] = Form(**yaml.safe_load(text))
    strange = sorted(
        file.name for file in (own.glob("*.y*ml") if own else ())
        if file.suffix != ".yaml" or file.stem not in forms
    )  # fmt: skip
    if strange:
        raise ConfigError(
            f"{strange[0]} is not the template of any worklist.",
            where=str(own),
            remedy=f"There are {', '.join(f'{name}.yaml' for name in forms)}.",
        )
    return forms


def form_of(forms: Mapping[str, Form], shape: Shape, *, for_employers: bool) -> Form:
    """Returns the form of a shape, as it is sent to an office or to an employer."""
    if for_employers and shape is Shape.CORRECTIONS:
        return forms[EMPLOYER_FILE]
    return forms[FILES[shape]]


def _read(file: Path, name: str) -> Form:
    remedy = "docs/worklists.md tells what a template may say."
    try:
        data: Any = yaml.safe_load(file.read_text("utf-8-sig"))
    except OSError as error:
        raise unreadable(file, error, "template of a worklist") from None
    except UnicodeDecodeError:
        raise ConfigError(
            "A worklist template is no text in UTF-8.", where=str(file), remedy=remedy
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(
            "A worklist template is not valid YAML.", where=f"{file}{place}", remedy=remedy
        ) from None
    if not isinstance(data, dict):
        raise ConfigError("A worklist template is empty.", where=str(file), remedy=remedy)
    try:
        form = Form(**data)
    except (ValidationError, TypeError) as error:
        raise ConfigError(
            f"A worklist template cannot be used: {_explained(error)}.",
            where=str(file),
            remedy=remedy,
        ) from None
    if name.startswith(form.shape) and (form.shape in (name, "corrections")):
        return form
    raise ConfigError(
        f"A worklist template has the wrong shape: {form.shape}.",
        where=str(file),
        remedy=f"It replaces doisoat's own {name}.yaml, so it must have the same shape as that.",
    )


def _explained(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "its settings have no names"
    lines = []
    for item in error.errors(include_input=False, include_url=False):
        place = ".".join(
            f"number {part + 1}" if isinstance(part, int) else str(part) for part in item["loc"]
        )
        reason = str(item["msg"]).removeprefix("Value error, ")
        if item["type"] == "missing":
            reason = "is missing"
        elif item["type"] == "extra_forbidden":
            reason = "is not a setting of a template; check its spelling"
        lines.append(f"{place}: {reason}" if place else reason)
    return "; ".join(lines)
