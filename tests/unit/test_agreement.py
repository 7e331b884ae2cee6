"""Python and the SQL macros give every pair the same level."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.resources import files

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from etl.domain import codes
from etl.engine.macros import macros
from etl.normalise import compare_births, compare_genders, compare_names, parse_birth
from etl.normalise.bulk import normalise_births, normalise_genders, normalise_names
from etl.simulate import SimulationSpec, simulate_batches
from tests.unit.normalise.test_properties import mixed, names

TODAY = date(2026, 11, 22)
Pair = tuple[str | None, str | None]


class Judge:
    """Asks the macros about many pairs at once."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        for macro in macros():
            self.connection.execute(macro.create)

    def names(self, pairs: Sequence[Pair]) -> list[str]:
        return self._levels(
            normalise_names,
            pairs,
            "name_agreement(a.raw, a.canonical, a.name_key, b.raw, b.canonical, b.name_key)",
        )

    def births(self, pairs: Sequence[Pair]) -> list[str]:
        return self._levels(
            lambda raw: normalise_births(raw, TODAY),
            pairs,
            "birth_agreement(a.birth_date, a.birth_year, a.birth_month,"
            " b.birth_date, b.birth_year, b.birth_month)",
        )

    def genders(self, pairs: Sequence[Pair]) -> list[str]:
        return self._levels(normalise_genders, pairs, "gender_agreement(a.value, b.value)")

    def _levels(self, understand, pairs: Sequence[Pair], agreement: str) -> list[str]:
        """Normalises both sides, then lets the macro judge all pairs in one query."""
        for side, raws in zip("ab", zip(*pairs, strict=True), strict=True):
            table = understand(pa.array(raws, pa.string()))
            numbered = table.append_column("n", pa.array(range(len(pairs))))
            self.connection.register(side, numbered)
        found = self.connection.execute(
            f"select {agreement} from a inner join b using (n) order by n"
        )
        return [level for (level,) in found.fetchall()]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


def disagreements(pairs: Iterable[Pair], python: Iterable[str], sql: Iterable[str]) -> list:
    return [row for row in zip(pairs, python, sql, strict=True) if row[1] != row[2]]


def hold_names_together(judge: Judge, pairs: Sequence[Pair]) -> Counter[str]:
    levels = [compare_names(a, b).level for a, b in pairs]
    assert disagreements(pairs, levels, judge.names(pairs)) == []
    return Counter(levels)


def hold_births_together(judge: Judge, pairs: Sequence[Pair]) -> Counter[str]:
    levels = [compare_births(parse_birth(a, TODAY), parse_birth(b, TODAY)) for a, b in pairs]
    assert disagreements(pairs, levels, judge.births(pairs)) == []
    return Counter(levels)


@pytest.fixture(scope="module")
def simulated() -> list[dict]:
    """Records with every fault of the simulator, each beside its citizen and beside a stranger."""
    batches = list(simulate_batches(SimulationSpec(14_000, seed=3)))
    people = [row for batch in batches for row in batch.population.to_pylist()]
    citizens = {row["personal_id"]: row for row in people}
    rng = random.Random(5)  # noqa: S311
    found = []
    for batch in batches:
        for record, truth in zip(batch.insurance.to_pylist(), batch.truth.to_pylist(), strict=True):
            for other in (citizens.get(truth["personal_id"]), rng.choice(people)):
                if other is not None:
                    found.append({"record": record, "citizen": other})
    return found


def column(simulated: list[dict], name: str) -> list[Pair]:
    return [(pair["record"][name], pair["citizen"][name]) for pair in simulated]


def test_the_simulators_names_are_judged_alike(judge: Judge, simulated: list[dict]):
    pairs = column(simulated, "full_name")
    assert len(pairs) > 20_000
    levels = hold_names_together(judge, pairs)
    assert len(levels) > 10, levels


def test_the_simulators_birth_dates_are_judged_alike(judge: Judge, simulated: list[dict]):
    levels = hold_births_together(judge, column(simulated, "date_of_birth"))
    assert len(levels) > 7, levels


def test_the_simulators_sexes_are_judged_alike(judge: Judge, simulated: list[dict]):
    pairs = column(simulated, "gender")
    levels = [compare_genders(a, b) for a, b in pairs]
    assert disagreements(pairs, levels, judge.genders(pairs)) == []


# --- pairs that no register is likely to have -------------------------------------------------

LETTERS = st.sampled_from("aăâbcdđeêghiknoôơrstuưvxyàảãáạằặấếệìịòóọốộớợùúụừứựỳỵfwz üñ'-ÂĐỨ.")


@st.composite
def near_names(draw: st.DrawFn) -> Pair:
    """A name, and the same after up to three slips of words or letters."""
    name = draw(st.one_of(names, st.sampled_from(FOREIGN)))
    changed = name
    for slip in draw(st.lists(st.sampled_from(SLIPS), max_size=3)):
        changed = slip(changed, draw)
    return name, changed


def _letter_slip(name: str, draw: st.DrawFn) -> str:
    at = draw(st.integers(0, max(0, len(name) - 1)))
    dropped, added = draw(st.sampled_from([(0, 1), (1, 0), (1, 1)]))
    return name[:at] + (draw(LETTERS) if added else "") + name[at + dropped :]


def _swap(name: str, draw: st.DrawFn) -> str:
    at = draw(st.integers(0, max(0, len(name) - 2)))
    return name[:at] + name[at : at + 2][::-1] + name[at + 2 :]


def _word_slip(name: str, draw: st.DrawFn) -> str:
    words = name.split() or [name]
    at = draw(st.integers(0, len(words) - 1))
    initial = words[at][: draw(st.sampled_from([1, 2]))]
    changes = ([], [initial], [initial + "."], [words[at], draw(names).split()[-1]],
               [draw(names).split()[-1]])  # fmt: skip
    return " ".join(words[:at] + draw(st.sampled_from(changes)) + words[at + 1 :])


def _shuffled(name: str, draw: st.DrawFn) -> str:
    return " ".join(draw(st.permutations(name.split())))


def _without_accents(name: str, draw: st.DrawFn) -> str:
    from etl.normalise.syllables import unaccent

    return draw(st.sampled_from([str.title, str.upper]))(unaccent(name.lower()))


def _iy(name: str, draw: st.DrawFn) -> str:
    return name.translate(str.maketrans("yýỳỷỹỵ", draw(st.sampled_from(["iíìỉĩị", "yýỳỷỹỵ"]))))


SLIPS = (_letter_slip, _swap, _word_slip, _shuffled, _without_accents, _iy)
FOREIGN = [
    line.partition(",")[0]
    for line in (files("tests") / "unit/normalise/data/names_that_pass_unharmed.csv")
    .read_text(encoding="utf-8")
    .splitlines()[1:]
]


@settings(max_examples=150)
@given(st.lists(near_names(), min_size=1, max_size=80))
@example([("Lã Hoàng Yến Quyên", "Lã oHàng Yến Quynê")])  # two swaps, and an i for y in the key
def test_names_after_a_few_slips_are_judged_alike(judge: Judge, pairs: list[Pair]):
    hold_names_together(judge, pairs)


@settings(max_examples=60)
@given(st.lists(st.tuples(mixed, mixed), min_size=1, max_size=40))
@example([("A0A0µ:Î", "")])  # seven letters, two of them with two bytes
def test_any_two_strings_are_judged_alike_as_names(judge: Judge, pairs: list[Pair]):
    hold_names_together(judge, [*pairs, *((a, a.upper()) for a, _ in pairs)])


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.integers(1950, 1963), st.integers(0, 12), st.integers(0, 31),
            st.integers(-1, 10), st.integers(-1, 1), st.integers(-10, 10), st.booleans(),
        ),
        min_size=1,
        max_size=80,
    )
)  # fmt: skip
def test_near_birth_dates_are_judged_alike(judge: Judge, cases: list[tuple]):
    pairs = []
    for year, month, day, years, months, days, swapped in cases:
        other = (month + months, day + days) if swapped else (day + days, month + months)
        pairs.append((
            f"{day:02d}/{month:02d}/{year}",
            f"{max(0, other[0]):02d}/{max(0, other[1]):02d}/{year + years}",
        ))  # fmt: skip
    hold_births_together(judge, pairs)


def test_every_level_of_the_vocabulary_can_be_reached(judge: Judge):
    examples = {
        "same": "Nguyễn Thị Lý", "format": "NGUYỄN THỊ LÝ", "iy_variant": "Nguyễn Thị Lí",
        "unaccented": "Nguyen Thi Ly", "accents_differ": "Nguyễn Thị Ly",
        "middle_missing": "Nguyễn Lý", "abbreviated": "N T Lý", "reordered": "Lý Nguyễn Thị",
        "one_edit": "Nguyễn Thị Lýn", "similar": "Nguyễm Thi Lý", "given_shared": "Trần Lý",
        "surname_shared": "Nguyễn Văn Hùng", "different": "Trần Văn Hùng", "missing": "N/A",
    }  # fmt: skip
    levels = judge.names([("Nguyễn Thị Lý", other) for other in examples.values()])
    assert levels == list(examples) == list(codes.NAME_LEVELS)


def test_names_that_agree_have_equal_keys(judge: Judge):
    """The demographic step joins by the key, and must not lose a name that agrees."""
    agreeing = {
        level
        for level in codes.NAME_LEVELS
        if judge.connection.execute("select name_agrees($1)", [level]).fetchone() == (True,)
    }
    assert agreeing == {"same", "format", "iy_variant", "unaccented"}
