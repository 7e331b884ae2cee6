"""The linkage model: what it compares, at which levels, and how it is kept.

Belongs here: the comparisons of the probabilistic step as Splink knows them, and the model's file.
Does not belong here: estimating it (``training.py``) or scoring with it
(``sql/core/near_scores.sql``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from etl.domain.codes import (
    ADDRESS_LEVELS,
    BIRTH_LEVELS,
    GENDER_LEVELS,
    NAME_LEVELS,
    NUMBER_LEVELS,
    PLACE_LEVELS,
)

if TYPE_CHECKING:
    from splink import SettingsCreator
    from splink.comparison_library import CustomComparison

NAME_AGREES = ("same", "format", "iy_variant", "unaccented")
"""Levels at which one name is only written differently, which says nothing of whose it is."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison of the model.

    Attributes:
        name: Its name in ``ref.match_model``.
        level: SQL over the columns of both sides that returns the level.
        groups: The levels that the model tells apart, best first; each is one or more levels of
            etl/domain/codes.py.
    """

    name: str
    level: str
    groups: tuple[tuple[str, ...], ...]


def _each(levels: tuple[str, ...], *, but: tuple[str, ...] = ()) -> tuple[tuple[str, ...], ...]:
    return tuple((level,) for level in levels if level not in (*but, "missing"))


COMPARED: tuple[Compared, ...] = (
    Compared(
        "name",
        "name_agreement(recorded_name_l, full_name_l, name_key_l,"
        " recorded_name_r, full_name_r, name_key_r)",
        (NAME_AGREES, *_each(NAME_LEVELS, but=NAME_AGREES)),
    ),
    Compared(
        "birth",
        "birth_agreement(birth_date_l, birth_year_l, birth_month_l,"
        " birth_date_r, birth_year_r, birth_month_r)",
        _each(BIRTH_LEVELS),
    ),
    Compared("gender", "gender_agreement(gender_l, gender_r)", _each(GENDER_LEVELS)),
    Compared("place", "place_agreement(province_code_l, province_code_r)", _each(PLACE_LEVELS)),
    Compared(
        "address", "address_agreement(address_parts_l, address_parts_r)", _each(ADDRESS_LEVELS)
    ),
    Compared("number", "number_agreement(numbers_l, numbers_r)", _each(NUMBER_LEVELS)),
)

LEAST_CHANCE: Mapping[tuple[str, str], float] = {
    # People who are mixed up with each other often share an address: this is the share of one
    # household.
    ("address", "same"): 1e-4,
    ("address", "near"): 1e-4,
    # Twins, and people who registered one after the other, have neighbouring numbers.
    ("number", "one_edit"): 1e-6,
}
"""The least share of strangers at a level, where counting chance agreements would give too
little."""

NEVER_SEEN = 1e-5
"""Share of the same person's pairs at a level that the training data did not show."""


def splink_settings() -> SettingsCreator:
    """Returns the model as Splink's settings, without parameters."""
    from splink import SettingsCreator

    return SettingsCreator(
        link_type="link_only",
        comparisons=[_comparison(compared) for compared in COMPARED],
        blocking_rules_to_generate_predictions=[],
        retain_matching_columns=False,
    )


def _comparison(compared: Compared) -> CustomComparison:
    from splink.comparison_level_library import CustomLevel
    from splink.comparison_library import CustomComparison

    levels: list[Any] = [
        CustomLevel(f"{compared.level} = 'missing'", "missing").configure(is_null_level=True)
    ]
    for group in compared.groups[:-1]:
        named = ", ".join(f"'{level}'" for level in group)
        levels.append(CustomLevel(f"{compared.level} in ({named})", group[0]))
    levels.append(CustomLevel("ELSE", compared.groups[-1][0]))
    return CustomComparison(
        output_column_name=compared.name,
        comparison_levels=levels,
        comparison_description=compared.name,
    )


@dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes:
        version: Its name: the date and time of training, or ``default``.
        about: What it was trained on, with which seed and how long; numbers only.
        same_person: m, the share of the same person's pairs at each level, by comparison and
            first level of its group.
        splink: The model as Splink writes it, for its charts.
    """

    version: str
    about: dict[str, Any]
    same_person: dict[str, dict[str, float]]
    splink: dict[str, Any]

    def to_json(self) -> str:
        """Writes the model as its file."""
        return json.dumps(
            {
                "version": self.version,
                "about": self.about,
                "same_person": self.same_person,
                "splink": self.splink,
            },
            indent=1,
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Model:
        """Reads a model from its file."""
        found = json.loads(text)
        return cls(found["version"], found["about"], found["same_person"], found["splink"])

    def levels(self) -> list[dict[str, Any]]:
        """Returns the rows of ``ref.match_model``: one for each level of each comparison."""
        return [
            {
                "comparison": compared.name,
                "level": level,
                "same_person": self.same_person[compared.name].get(group[0], NEVER_SEEN),
                "least_chance": LEAST_CHANCE.get((compared.name, level), 0.0),
            }
            for compared in COMPARED
            for group in compared.groups
            for level in group
        ]


def default_model() -> Model:
    """Returns the model that ships with the package, so that a first run needs no training."""
    return Model.from_json(files("etl.reconcile").joinpath("default_model.json").read_text("utf-8"))


def is_trained(version: object) -> bool:
    """Whether a model of this version has learnt from registers: the one that ships has not."""
    return version is not None and version != default_model().version
