"""Crowds: registers in which thousands share a value that should tell people apart.

Belongs here: one maker of rows for each value that can be shared, and a run that counts the rows
that each operator of the engine puts out. Does not belong here: the tests of crowds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import pyarrow as pa

from etl.clean import dictionaries
from etl.domain.contract import REGISTERS
from etl.engine.port import Warehouse
from etl.engine.statements import TableName, statements
from tests.support import Row, citizen, record

Rows = list[dict[str, object]]
Both = tuple[Rows, Rows]

_LETTERS = "abcdeghiklmnopqrstuvxy"


@dataclass(frozen=True)
class Crowd:
    """Makes the rows of one crowd; two crowds share neither numbers nor birth dates.

    Attributes:
        name: The beginning of its record ids.
        mark: Its own number, 1 to 28.
    """

    name: str
    mark: int

    def number(self, place: int, start: int = 0) -> str:
        """A personal number of a man born in 1975."""
        return f"0{self.mark:02d}075{start + place:06d}"

    def _person(self, name: str) -> dict[str, object]:
        born = f"{self.mark:02d}/09/1975"
        return {"full_name": name, "date_of_birth": born, "gender": "Nam"}

    def citizen(self, place: int, name: str, **changes: object) -> dict[str, object]:
        """A citizen with the crowd's birth date."""
        return citizen(0) | self._person(name) | {"personal_id": self.number(place)} | changes

    def record(self, place: int, name: str, **changes: object) -> dict[str, object]:
        """A record with the crowd's birth date, without a number unless told otherwise."""
        own = {
            "record_id": f"{self.name} {place}",
            "insurance_number": f"{self.mark:02d}{place:08d}",
            "id_number": None,
        }
        return record(0) | self._person(name) | own | changes


def word(place: int) -> str:
    """A different word of three letters for each place."""
    letters = ""
    for _ in range(3):
        place, letter = divmod(place, len(_LETTERS))
        letters += _LETTERS[letter]
    return letters.capitalize()


def namesakes(crowd: Crowd, size: int) -> Both:
    """Many records and citizens with one name and birth date, without numbers."""
    return (
        [crowd.record(n, "Nguyễn Văn Hùng") for n in range(size)],
        [crowd.citizen(n, "Nguyễn Văn Hùng") for n in range(size)],
    )


def namesakes_with_wrong_digits(crowd: Crowd, size: int) -> Both:
    """One name and birth date, and numbers that are nobody's but one slip from somebody's."""
    return (
        [
            crowd.record(n, "Nguyễn Văn Hùng", id_number=crowd.number(n, 500_000))
            for n in range(size)
        ],
        [crowd.citizen(n, "Nguyễn Văn Hùng") for n in range(size)],
    )


def namesakes_with_numbers_of_others(crowd: Crowd, size: int) -> Both:
    """One name and birth date, and numbers of citizens with other names."""
    return (
        [crowd.record(n, "Nguyễn Văn Hùng", id_number=crowd.number(n)) for n in range(size)],
        [crowd.citizen(n, "Nguyễn Văn Dũng") for n in range(size)]
        + [crowd.citizen(size + n, "Nguyễn Văn Hùng") for n in range(size)],
    )


def other_given_names(crowd: Crowd, size: int) -> Both:
    """Right numbers and another given name each; one surname, middle name and birth date."""
    return (
        [crowd.record(n, f"Nguyễn Văn {word(n)}", id_number=crowd.number(n)) for n in range(size)],
        [crowd.citizen(n, f"Nguyễn Văn {word(n + 1)}") for n in range(size)],
    )


def one_number(crowd: Crowd, size: int) -> Both:
    """One citizen's number in the records of different people."""
    return (
        [crowd.record(n, f"Lê {word(n)} Sơn", id_number=crowd.number(0)) for n in range(size)],
        [crowd.citizen(n, f"Lê {word(n)} Sơn") for n in range(size)],
    )


def one_former_number(crowd: Crowd, size: int) -> Both:
    """A former number that all citizens list and all records carry."""
    filler = f"12345678{crowd.mark % 10}"
    return (
        [crowd.record(n, f"Lê {word(n)} Sơn", id_number=filler) for n in range(size)],
        [crowd.citizen(n, f"Lê {word(n)} Sơn", former_id_numbers=filler) for n in range(size)],
    )


def one_former_number_beside_the_own(crowd: Crowd, size: int) -> Both:
    """The same, beside the right number and another given name."""
    filler = f"12345678{crowd.mark % 10}"
    return (
        [
            crowd.record(n, f"Lê {word(n)} Hải", id_number=filler, insurance_number=crowd.number(n))
            for n in range(size)
        ],
        [crowd.citizen(n, f"Lê {word(n)} Sơn", former_id_numbers=filler) for n in range(size)],
    )


def one_insurance_number(crowd: Crowd, size: int) -> Both:
    """One insurance number, and one card with another number, which their other records carry."""
    number, on_card = f"79{crowd.mark:08d}", f"78{crowd.mark:08d}"
    both = {"insurance_number": number, "health_card_number": f"HC401{on_card}"}
    return (
        [
            crowd.record(n, f"Lê {word(n)} Sơn", id_number=crowd.number(n), **both)
            for n in range(size)
        ]
        + [
            crowd.record(
                size + n,
                f"Lê {word(n)} Sơn",
                id_number=crowd.number(n),
                insurance_number=on_card,
            )
            for n in range(size)
        ],
        [crowd.citizen(n, f"Lê {word(n)} Sơn") for n in range(size)],
    )


def one_citizen(crowd: Crowd, size: int) -> Both:
    """All records belong to one citizen."""
    return (
        [crowd.record(n, "Lê Anh Sơn", id_number=crowd.number(0)) for n in range(size)],
        [crowd.citizen(0, "Lê Anh Sơn")],
    )


def repeated_keys(crowd: Crowd, size: int) -> Both:
    """In both registers: one key on equal rows, one on different rows, and rows without a key."""
    return (
        [crowd.record(0, "Lê Anh Sơn") for _ in range(size)]
        + [crowd.record(1, f"Lê {word(n)} Sơn") for n in range(size)]
        + [crowd.record(n, "Lê Anh Sơn", record_id=None) for n in range(size)],
        [crowd.citizen(0, "Lê Anh Sơn") for _ in range(size)]
        + [crowd.citizen(1, f"Lê {word(n)} Sơn") for n in range(size)]
        + [crowd.citizen(n, "Lê Anh Sơn", personal_id=None) for n in range(size)],
    )


def irregular_numbers(crowd: Crowd, size: int) -> Both:
    """Citizens whose numbers are written with a space; half of them also without."""
    spaced = [f"{crowd.number(n)[:6]} {crowd.number(n)[6:]}" for n in range(size)]
    return (
        [crowd.record(n, f"Lê {word(n)} Sơn", id_number=spaced[n]) for n in range(size)],
        [crowd.citizen(n, f"Lê {word(n)} Sơn", personal_id=spaced[n]) for n in range(size)]
        + [crowd.citizen(n, f"Lê {word(n)} Sơn") for n in range(size // 2)],
    )


def one_household(crowd: Crowd, size: int) -> Both:
    """One birth date, address, province and given name; the middle names differ by a slip."""
    address = f"Thôn {crowd.mark}, xã Hòa Bình"
    return (
        [crowd.record(n, f"Lê {word(n)}a Sơn", address=address) for n in range(size)],
        [crowd.citizen(n, f"Lê {word(n)} Sơn", address=address) for n in range(size)],
    )


KINDS: dict[str, Callable[[Crowd, int], Both]] = {
    kind.__name__: kind
    for kind in (
        namesakes,
        namesakes_with_wrong_digits,
        namesakes_with_numbers_of_others,
        other_given_names,
        one_number,
        one_former_number,
        one_former_number_beside_the_own,
        one_insurance_number,
        one_citizen,
        repeated_keys,
        irregular_numbers,
        one_household,
    )
}


def all_crowds(size: int) -> Both:
    """Returns a crowd of every kind, in one pair of registers."""
    insurance: Rows = []
    population: Rows = []
    for mark, (name, kind) in enumerate(KINDS.items(), start=1):
        records, citizens = kind(Crowd(name, mark), size)
        insurance += records
        population += citizens
    return insurance, population


# --- a run whose rows are counted -----------------------------------------------------------------


def land(warehouse: Warehouse, insurance: Sequence[Row], population: Sequence[Row]) -> None:
    """Writes rows where extraction would."""
    rows = {"insurance": insurance, "population": population}
    for register, columns in REGISTERS.items():
        texts = {
            column.name: pa.array([row.get(column.name) for row in rows[register]], pa.string())
            for column in columns
        }
        landed = TableName("raw", f"landing_{register}")
        warehouse.load(landed, pa.table(texts))
        warehouse.connection.execute(
            f"create or replace table raw.{register} as "
            "select landed.*, parameters.run_id, now()::timestamp as read_at, "
            "landed.rowid::uinteger as row_number "
            f"from {landed.sql} as landed cross join ops.parameters as parameters"
        )
        warehouse.connection.execute(f"drop table {landed.sql}")


Operators = dict[str, list[tuple[int, str]]]


def build(warehouse: Warehouse) -> Operators:
    """Builds every table.

    Returns:
        For each table, how many rows each operator of its statement put out.
    """
    connection = warehouse.connection
    profile = warehouse.files / "profile.json"
    profile.parent.mkdir(exist_ok=True)
    graph = {name: statement.depends_on for name, statement in statements().items()}
    found: Operators = {}
    for name in TopologicalSorter(graph).static_order():
        if name in graph:
            connection.execute("pragma enable_profiling = 'json'")
            connection.execute(f"pragma profiling_output = '{profile}'")
            connection.execute(f"create or replace table {name.sql} as\n{statements()[name].query}")
            connection.execute("pragma disable_profiling")
            found[name.sql] = list(_operators(json.loads(profile.read_text("utf-8"))))
        elif name.schema == "clean":
            dictionaries.extend(warehouse, name.table)
    profile.unlink()
    return found


def _operators(node: dict[str, Any]) -> Iterator[tuple[int, str]]:
    if "operator_cardinality" in node:
        yield node["operator_cardinality"], str(node.get("operator_type"))
    for child in node.get("children", []):
        yield from _operators(child)
