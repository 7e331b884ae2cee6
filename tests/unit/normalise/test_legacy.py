"""Legacy encodings, with glibc's iconv as an independent judge."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import unicodedata
from importlib.resources import files

import pytest

from etl.normalise import parse_name
from etl.normalise.encodings import single_byte_tables, vni_table
from etl.normalise.syllables import standard_syllable

ICONV = {"tcvn3": "TCVN5712-1", "viscii": "VISCII"}


def name_syllables() -> list[str]:
    text = (files("etl.domain.data") / "name_frequencies.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    # A few entries of the source list are typing errors: two words in one.
    words = {word for row in rows for word in row["value"].split()}
    return sorted(w for w in words if w not in ("Hồthị", "Phạmvăn", "Nguyê", "Ksor", "K", "H"))


def iconv(text: str, encoding: str) -> bytes | None:
    done = subprocess.run(
        ["iconv", "-f", "UTF-8", "-t", encoding],
        input=text.encode(),
        capture_output=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None


def as_windows(raw: bytes) -> str:
    """The bytes as Windows shows them; the five that it leaves undefined, as Latin-1."""
    return "".join(
        bytes([b]).decode("cp1252") if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(b)
        for b in raw
    )


needs_iconv = pytest.mark.skipif(shutil.which("iconv") is None, reason="no iconv on this machine")


@needs_iconv
@pytest.mark.parametrize("encoding", sorted(ICONV))
def test_the_table_is_the_one_of_glibc(encoding):
    for code, letter in single_byte_tables()[encoding].items():
        assert iconv(letter, ICONV[encoding]) == bytes([code])


@needs_iconv
@pytest.mark.parametrize("encoding", ["TCVN5712-1", "VISCII", "CP1258"])
@pytest.mark.parametrize("seen_as", ["latin-1", "windows"])
def test_every_name_syllable_survives_the_encoding(encoding, seen_as):
    names = [f"Nguyễn Thị {syllable}" for syllable in name_syllables()]
    encoded = iconv("\n".join(names), encoding)
    if encoded is None:
        pytest.skip("this iconv lacks the encoding")
    text = encoded.decode("latin-1") if seen_as == "latin-1" else as_windows(encoded)
    read = [parse_name(line).canonical for line in text.split("\n")]
    assert read == [parse_name(name).canonical for name in names]


@pytest.mark.parametrize("encoding", ["tcvn3", "viscii", "vps"])
def test_every_name_syllable_survives_a_single_byte_table(encoding):
    codes = {letter: chr(code) for code, letter in single_byte_tables()[encoding].items()}
    for syllable in name_syllables():
        name = f"Nguyễn Thị {syllable}"
        mojibake = "".join(codes.get(c, c) for c in name)
        assert parse_name(mojibake).canonical == parse_name(name).canonical


def test_tcvn3_without_capitals_is_read_regardless_of_case():
    codes = {letter: chr(code) for code, letter in single_byte_tables()["tcvn3"].items()}
    for syllable in name_syllables():
        name = f"Nguyễn Thị {syllable}"
        # Fonts of TCVN3 have no accented capitals: the codes of small letters stand for both.
        mojibake = "".join(codes.get(c.lower(), c) if not c.isascii() else c for c in name)
        assert parse_name(mojibake).canonical == parse_name(name).canonical


@pytest.mark.parametrize("order", [str, lambda marks: "".join(reversed(marks))])
def test_every_name_syllable_survives_viqr_with_the_shape_before_or_after_the_tone(order):
    signs = dict(zip("\u0300\u0301\u0309\u0303\u0323\u0302\u0306\u031b", "`'?~.^(+", strict=True))
    for syllable in filter(lambda word: standard_syllable(word.lower()), name_syllables()):
        name = f"Nguyễn Thị {syllable}"
        loose = unicodedata.normalize("NFD", name.replace("Đ", "DD").replace("đ", "dd"))
        typed = re.sub("[\u0300-\u036f]+", lambda m: "".join(signs[c] for c in order(m[0])), loose)
        assert parse_name(typed).canonical == parse_name(name).canonical


def test_every_name_syllable_survives_vni():
    codes = {}
    for source, letter in vni_table().items():
        codes.setdefault(letter, source)
    for syllable in name_syllables():
        name = f"Nguyễn Thị {syllable}"
        mojibake = "".join(codes.get(c, c) for c in name)
        assert parse_name(mojibake).canonical == parse_name(name).canonical


@pytest.mark.parametrize(
    "codec",
    ["latin-1", "cp1252", "cp1258", "mac_roman", "iso8859-2", "cp1250", "cp1251", "cp1254", "cp437",
     "cp850", "cp852"],
)  # fmt: skip
def test_utf8_survives_being_read_as_a_one_byte_encoding(codec):
    for syllable in name_syllables():
        name = f"Trần Thị {syllable}"
        try:
            mojibake = name.encode().decode(codec)
        except UnicodeDecodeError:
            continue  # Python refuses bytes that the code page leaves undefined.
        assert parse_name(mojibake).canonical == parse_name(name).canonical


@pytest.mark.parametrize(
    "name",
    ["José Müller", "Loïc Guérin", "Zoë", "Næ", "Inês Simões", "Lê Hà", "Đỗ Hoà", "Tô Vân Hà"],
)
def test_what_already_reads_well_is_not_decoded(name):
    assert not [note for note in parse_name(name).notes if note.startswith("decoded")]


@pytest.mark.parametrize(
    "name",
    [
        "O'Brien",
        "H'Bung Mlo",
        "Nguyen Van An.",
        "D'Angelo Ma'ri",
        "Le Thi.Hoa",
        "St.John Ha",
        "Hu?nh Van An",
    ],
)
def test_other_signs_between_letters_are_not_taken_for_viqr(name):
    assert "decoded_viqr" not in parse_name(name).notes
