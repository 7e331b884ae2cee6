"""The simulator's data files, read once per process into tables to draw from.

Belongs here: reading CSV and TOML and turning weights into sampling tables. Does not belong
here: drawing, or any share written as code.
"""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from etl.process.files import read_toml
from etl.simulate.draws import Array, sampling_table

DEFAULT_FAULT_RATES = Path(str(files("etl.simulate"))) / "fault_rates.toml"


def read_csv(package: str, name: str) -> list[dict[str, str]]:
    """Returns the rows of a CSV file of a package."""
    return list(csv.DictReader((files(package) / name).read_text(encoding="utf-8").splitlines()))


@cache
def toml_table(name: str) -> dict[str, Any]:
    """Returns a TOML file of the simulator's tables."""
    return tomllib.loads((files("etl.simulate") / "tables" / name).read_text(encoding="utf-8"))


def shares(register: str) -> dict[str, Any]:
    """Returns the shares of one register: `population` or `insurance`."""
    found: dict[str, Any] = toml_table("shares.toml")[register]
    return found


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault.

    Attributes:
        rate: Probability of drawing it.
        among: What the rate is a share of.
        matters: Whether it changes more than how a correct value is written.
        meaning: What it does, in one line.
    """

    rate: float
    among: str
    matters: bool
    meaning: str


@cache
def fault_kinds(path: Path | None = None) -> dict[str, FaultKind]:
    """Returns the fault rates of a file, or the project's own.

    Args:
        path: A TOML file; kinds that it leaves out get the rate 0.

    Raises:
        ValueError: The file names a kind that does not exist, or a rate outside 0 to 1.
        FileNotFoundError: There is no such file.
    """
    known = tomllib.loads(DEFAULT_FAULT_RATES.read_text(encoding="utf-8"))
    given = read_toml(path) if path else known
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(
            f"{path} names fault kinds that do not exist: {', '.join(unknown)}. "
            f"The kinds are those of {DEFAULT_FAULT_RATES.name}: {', '.join(sorted(known))}."
        )
    kinds = {}
    for name, row in known.items():
        rate = float(given.get(name, {}).get("rate", 0.0))
        if not 0 <= rate <= 1:
            raise ValueError(f"{path}: the rate of {name} must be from 0 to 1, not {rate}")
        kinds[name] = FaultKind(rate, row["among"], bool(row["matters"]), row["meaning"])
    return kinds


@dataclass(frozen=True)
class Pyramid:
    """Ages by sex, and what depends on age.

    Attributes:
        table: Draws band * 2 + sex (0 male, 1 female).
        age_from: First age of each band.
        width: Years of each band.
        deceased: Share of each band that has died, and is still in the register.
        cmnd: Share of each band that ever had a CMND.
    """

    table: Array
    age_from: Array
    width: Array
    deceased: Array
    cmnd: Array


@cache
def pyramid() -> Pyramid:
    """Returns the age pyramid."""
    rows = read_csv("etl.simulate", "tables/age_pyramid.csv")
    weights = [float(row[sex]) for row in rows for sex in ("male_share", "female_share")]
    start = np.array([int(row["age_from"]) for row in rows])
    end = np.array([int(row["age_to"]) for row in rows])
    return Pyramid(
        table=sampling_table(weights),
        age_from=start,
        width=end - start,
        deceased=np.array([float(row["deceased_share"]) for row in rows], dtype=np.float32),
        cmnd=np.array([float(row["cmnd_share"]) for row in rows], dtype=np.float32),
    )


@dataclass(frozen=True)
class Places:
    """Places of birth registration: the 63 provinces of 2004, then foreign countries.

    Attributes:
        codes: Three-digit code of each place, as a number.
        provinces: How many of the places are provinces.
        new_codes: Two-digit code of 2025 of each province.
        old_codes: Two-digit code of before 2025 of each province.
        new_names: Name of 2025 of each province.
        residents: Draws the province of residence.
        born_here: Share of each province's residents who were born there.
        cmnd_prefix: First two digits of a CMND issued there.
    """

    codes: Array
    provinces: int
    new_codes: list[str]
    old_codes: list[str]
    new_names: list[str]
    residents: Array
    born_here: Array
    cmnd_prefix: Array


@cache
def places() -> Places:
    """Returns the places of birth and residence."""
    provinces = read_csv("etl.domain.data", "province_codes.csv")
    extra = {row["cccd_code"]: row for row in read_csv("etl.simulate", "tables/provinces.csv")}
    detail = [extra[row["cccd_code"]] for row in provinces]
    codes = [int(row["cccd_code"]) for row in provinces]
    codes += [int(row["cccd_code"]) for row in read_csv("etl.domain.data", "country_codes.csv")]
    return Places(
        codes=np.array(codes),
        provinces=len(provinces),
        new_codes=[row["code_2025"] for row in provinces],
        old_codes=[row["cccd_code"][1:] for row in provinces],
        new_names=[row["province_2025"] for row in provinces],
        residents=sampling_table([float(row["residents_share"]) for row in detail]),
        born_here=np.array([float(row["born_here_share"]) for row in detail], dtype=np.float32),
        cmnd_prefix=np.array([int(row["cmnd_prefix"]) for row in detail]),
    )


def shape_share(name: str) -> float:
    """Returns one share of the name shapes."""
    return float(toml_table("name_shape.toml")[name])


def lines(name: str) -> list[str]:
    """Returns the lines of a text file of the simulator's tables."""
    return (files("etl.simulate") / "tables" / name).read_text(encoding="utf-8").splitlines()
