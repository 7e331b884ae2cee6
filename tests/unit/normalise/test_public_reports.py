"""Names, values and comparisons that go wrong in public reports, and similar ones.

Each row is an example of a kind; the rule for each kind is in docs/normalisation.md.
"""

from __future__ import annotations

import random
import unicodedata

import pytest

from benchmarks.false_repairs import is_harmed, minority_names
from etl.normalise import compare_names, parse_flag, parse_gender, parse_name
from etl.normalise.bulk import normalise_names
from etl.normalise.damage import has_lost_letters
from etl.normalise.encodings import single_byte_tables, vni_table
from etl.normalise.files import read_rows
from tests.unit.normalise.test_legacy import name_syllables

READ = [
    # Marks in an order that Unicode does not compose, or typed twice.
    ("Nguye\u0303\u0302n Văn An", "Nguyễn Văn An", "nfc"),
    ("Trần Thị Tuyé\u0302t", "Trần Thị Tuyết", "nfc"),
    ("Nguyễn Vă\u0306n An", "Nguyễn Văn An", "nfc"),
    ("Tru\u0301\u031bơng An", "Trướng An", "nfc"),
    ("Nguyễn Thị Tú\u0301", "Nguyễn Thị Tú", "nfc"),
    ("D\u0335ặng Văn An", "Đặng Văn An", "nfc"),
    ("Nguyễn Thị Hòà", "Nguyễn Thị Hòa", "tone_style"),
    ("Nguyêñ Văn Binh\u0300", "Nguyễn Văn Bình", "tone_style"),
    # Letters that look Vietnamese.
    ("Nguyễn Thị Phƣơng", "Nguyễn Thị Phương", "mistaken_letters"),
    ("TRƢƠNG VĂN DƢƠNG", "Trương Văn Dương", "mistaken_letters"),
    ("Nguyễn Thị Phƣợng", "Nguyễn Thị Phượng", "mistaken_letters"),
    ("Nguyễn Thị Hƣ\u0300ng", "Nguyễn Thị Hừng", "mistaken_letters"),
    ("Nguyễn Vǎn An", "Nguyễn Văn An", "mistaken_letters"),
    ("ĐẶNG VǍN HẢI", "Đặng Văn Hải", "mistaken_letters"),
    ("Lê Vǎn Thǎ\u0301ng", "Lê Văn Thắng", "mistaken_letters"),
    ("H'Hen Byǎ", "H'Hen Byă", "mistaken_letters"),
    # Styled alphabets, including the letters that Unicode has among the letter-like symbols.
    ("ℕ𝕘𝕦𝕪𝕖𝕟 𝕍𝕒𝕟 𝔸𝕟", "Nguyen Van An", "full_width"),
    ("𝒩𝑔𝓊𝓎ℯ𝓃 𝒱𝒶𝓃 𝐻ℴ𝒶𝓃𝑔", "Nguyen Van Hoang", "full_width"),
    ("ℌ𝔬𝔞 ℭ𝔞𝔬 ℜ𝔬", "Hoa Cao Ro", "full_width"),
    ("Ⓛan Ⓐnh", "Lan Anh", "full_width"),
    # Only one horn of ươ typed.
    ("Nguyễn Thị Phuơng", "Nguyễn Thị Phương", "half_horn"),
    ("Nguyễn Thị Phưong", "Nguyễn Thị Phương", "half_horn"),
    ("Nguyễn Thị Hưong", "Nguyễn Thị Hương", "half_horn"),
    ("TRUƠNG VĂN ĐUỢC", "Trương Văn Được", "half_horn"),
    ("Lê Văn Hưỏng", "Lê Văn Hưởng", "half_horn"),
    # Escapes.
    ("Nguy\\u1ec5n V\\u0103n An", "Nguyễn Văn An", "decoded_escapes"),
    ("NGUY\\U1EC5N V\\U0102N AN", "Nguyễn Văn An", "decoded_escapes"),
    ("Nguy&#7877;n V&#x103;n &Acirc;n", "Nguyễn Văn Ân", "decoded_escapes"),
    ("Nguy%E1%BB%85n V%C4%83n An", "Nguyễn Văn An", "decoded_escapes"),
    ("Nguy\\xe1\\xbb\\x85n An", "Nguyễn An", "decoded_escapes"),
    # Single words in another encoding.
    ("Leâ Thị Mai", "Lê Thị Mai", "decoded_vni"),
    ("LEÂ THỊ MAI", "Lê Thị Mai", "decoded_vni"),
    ("Nguyễn Thaùi Bình", "Nguyễn Thái Bình", "decoded_vni"),
    ("Lª Thị Mai", "Lê Thị Mai", "decoded_tcvn3"),
    ("TrÇn Thị Mai", "Trần Thị Mai", "decoded_tcvn3"),
    # UTF-8 read as something else.
    ("Cao Trung HÃ\u00a0", "Cao Trung Hà", "decoded_double_utf8"),
    ("Hoa HÃ\u00a0 Nam", "Hoa Hà Nam", "decoded_double_utf8"),
    ("Phan TáşĄn Tiáşżn BĂˇch", "Phan Tấn Tiến Bách", "decoded_double_utf8"),
    ("Phan KiĂŞn", "Phan Kiên", "decoded_double_utf8"),
    ("Tráş§n Thanh BáşŁo", "Trần Thanh Bảo", "decoded_double_utf8"),
]


@pytest.mark.parametrize(("raw", "canonical", "note"), READ)
def test_a_reported_name_is_read_and_says_how(raw, canonical, note):
    parsed = parse_name(raw)
    assert parsed.canonical == canonical
    assert note in parsed.notes


KEPT = [
    # A clan of the Hmong, not VNI for Thị.
    "Thò Mí Pó", "Thò Bá Rê", "Giàng Thò", "Thò Dúa", "Giàng Thò Mai", "Lý A Vò", "Má A Thò Sua",
    "Chá Thò Ká Thò", "Thò Mí Mlô", "Trần Thò Mai", "Vò A Sùng",
    # Tone marks of names that are not Vietnamese.
    "Noé Botella", "Noé García", "Loà Botella",
    # Chinese in Latin letters: its third tone is a caron.
    "Wáng Lǎn", "Zhāng Hǎn",
    # Carons that could be a hook as well as a breve.
    "Nguyễn Văn Bǐ", "Lê Thị Nǒ", "Trần Thǔ",
    # Han numerals are letters here.
    "三浦 太一", "万丽华", "五十嵐 一", "千葉 六郎",
    # A rare rhyme.
    "Nguyễn Thị Thuở", "Lê Huơ",
    # Letters in a row that look like remains of UTF-8 but are not.
    "Ján Labáť", "Bróż", "Любєїзний Іван",
    # Foreign words beside Vietnamese ones.
    "Loïc Nguyễn", "Noël Trần", "Zoë Phạm", "José Nguyễn Văn An", "Loïc Hà",
    # Words that also occur in stand-ins for newborns.
    "Lê Con", "Nguyễn Thị Bé", "Bé Thị Lan", "Bế Văn Trai", "Châu Bé Trai", "Nguyễn Văn Con", "Con",
    "Chau Con Bé", "So Y Sinh", "Nguyễn Của", "Vo Danh Nam", "Võ Danh Nam", "Nguyễn Vô Danh",
]  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_a_name_that_looks_damaged_or_decodable_is_kept(name):
    parsed = parse_name(name)
    assert parsed.canonical == name
    assert set(parsed.notes) <= {"unaccented"}


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("THÒ A PÁO", "Thò A Páo"),
        ("Thò Mí Pó 2", "Thò Mí Pó"),
        ("Thò Mí Mlô 2", "Thò Mí Mlô"),
        ("Thò Mí Pó (Tư)", "Thò Mí Pó"),
        ("NOÉ BOTELLA", "Noé Botella"),
        ("Nguyễn Văn An (con bà Lan)", "Nguyễn Văn An"),
        ("Nguyễn Văn An\x00\x00", "Nguyễn Văn An"),
        ("LÃ\u00a0VAN AN", "Lã Van An"),
        ("Nguyễn Văn An ?", "Nguyễn Văn An"),
        ("A&B; Cao", "A B Cao"),
    ],
)
def test_cleaning_one_thing_does_not_bring_about_another(raw, canonical):
    assert parse_name(raw).canonical == canonical


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("Nguyeãn Thò Hoa", "Nguyễn Thị Hoa"),
        ("Lyù Thò Mai", "Lý Thị Mai"),
        ("Thò Mreâm Leâ", "Thị Mrêm Lê"),  # a second sign
        ("Phan Thò Mai", "Phan Thị Mai"),  # the right place, and no sign against it
        ("Hoà Thò Thu Long An", "Hồ Thị Thu Long An"),
        ("Toáng Thò Thanh", "Tống Thị Thanh"),
        ("MAI THÒ LAN ANH", "Mai Thị Lan Anh"),
        ("Vò V¨n Nam", "Vũ Văn Nam"),
        ("Vò Nam Anh", "Vũ Nam Anh"),
        ("PhÕm Văn Nam", "Phạm Văn Nam"),
    ],
)  # fmt: skip
def test_a_telltale_tells_in_its_place_or_beside_a_second_sign(raw, canonical):
    assert parse_name(raw).canonical == canonical


@pytest.mark.parametrize("thuy", ["Thuý", "Thúy"])
@pytest.mark.parametrize("other", ["Nguyễn Thị", "Nguyen", "Y", "Trân Kbuôr", "Müller", "Ksor"])
def test_a_common_vietnamese_word_has_one_tone_style_beside_any_other(thuy, other):
    assert "Thúy" in parse_name(f"{other} {thuy}").canonical


DAMAGED = [
    "Nguyá»n Thanh BÃ¬nh", "Nguy¿n V¿n H¿ng", "Tr¿n V¿n B¿nh", "Nguy\u001an V\u001an An",
    "NGUYÁ»…N VÄƑN AN", "Nguyá»…n Thá»‹ Há»“ng Há", "Nguy\ufffdn An", "Nguy?n An", "Lê Văn H?",
    "Lê Chí Hu?", "\u001a\u001a Quang Tín", "VÃΜ MINH KHANG", "?? Quang Tín", "? Quang Tín",
    "Nguyễn ?? An", "Äinh VÄƒn Long",
    "\u0000L\u0000ê\u0000 \u0000T\u0000h\u0000Ë\u001e \u0000H\u0000o\u0000a\u0000",
    "L\u0000a\u0000n\u0000", "Nguyễn V¿n An", "Tr¿n Văn Hòa", "PhÆ°Æ¡ng Há", "Lê Văn An\u001a",
    "Tráş§n Thanh Báş", "Nguyß╗n An", "Nguyб»n An", "Nguy·ªn An", "¿ng Văn An",
]  # fmt: skip


@pytest.mark.parametrize("raw", DAMAGED)
def test_marks_of_lost_letters_are_refused_before_anything_is_decoded(raw):
    parsed = parse_name(raw)
    assert parsed.reject == "name_damaged"
    assert "lost_letters" in parsed.notes
    assert not [note for note in parsed.notes if note.startswith("decoded")]


def test_no_name_in_a_vietnamese_encoding_bears_marks_of_lost_letters():
    tables = [{c: chr(b) for b, c in table.items()} for table in single_byte_tables().values()]
    tables.append({})
    for source, letter in vni_table().items():
        tables[-1].setdefault(letter, source)
    for table in tables:
        for syllable in name_syllables():
            for name in (f"Nguyễn {syllable} Đức", f"NGUYỄN {syllable.upper()} ĐỨC"):
                mojibake = "".join(table.get(c, c) for c in name)
                assert not has_lost_letters(mojibake.replace("\u00bf", "")), mojibake


NOBODY = [
    "Con ông Nguyễn Văn An", "Bé trai con bà Nguyễn Thị Lan", "BÉ GÁI CON BÀ NGUYỄN THỊ LAN",
    "Trẻ sơ sinh", "Sơ sinh", "Con thứ 2 bà Nguyễn Thị Lan", "Nguyễn Thị Lan (con)",
    "CON CỦA NGUYỄN THỊ LAN", "VÔ DANH NAM", "Con bà Lan", "Con gái chị Lan", "con gai ba Lan",
    "Con đầu lòng của bà Lan", "Con thứ hai bà Lan", "Con mẹ Lan", "Con sản phụ Lan",
    "Con Nguyễn Thị Lan", "Bé trai", "Cháu gái Nguyễn Thị Lan", "Trẻ sơ sinh con bà Lan",
    "tre so sinh", "CHAU BE CON BA LAN", "Bé sơ sinh 1", "Em bé con chị Lan", "- Con bà Lan",
    "Nguyễn Thị Lan (CON 2)", "Nguyễn Thị Lan [con thứ 2]", "Nguyễn Thị Lan (sơ sinh)",
    "Nguyễn Thị Lan (con trai)", "Trần Thị Mai (chưa đặt tên)", "Vô danh", "vô danh số 3",
    "Khuyết danh nữ", "Chưa đặt tên con bà Lan", "Nạn nhân vô danh 2", "Unknown male",
]  # fmt: skip


@pytest.mark.parametrize("raw", NOBODY)
def test_a_newborn_on_a_parents_name_and_the_unnamed_have_no_name(raw):
    assert parse_name(raw).reject == "name_missing"


@pytest.mark.parametrize(
    ("a", "b", "level"),
    [
        ("Nguyễn Thị Phƣơng", "Nguyễn Thị Phương", "format"),
        ("Nguyễn Vǎn An", "Nguyễn Văn An", "format"),
        ("Nguye\u0303\u0302n Văn An", "Nguyễn Văn An", "format"),
        ("Nguyễn Thị Phuơng", "Nguyễn Thị Phương", "format"),
        ("Leâ Thị Mai", "Lê Thị Mai", "format"),
        ("Nguyễn Thị Lan (con)", "Nguyễn Thị Lan", "missing"),
        ("Tr¿n V¿n B¿nh", "Trần Văn Bình", "missing"),
        # A different letter, not only a different accent.
        ("Thò Mí Pó", "Thị Mí Pó", "one_edit"),
    ],
)
def test_a_reported_pair_has_the_level_that_is_right(a, b, level):
    assert compare_names(a, b).level == level


# --- no harm --------------------------------------------------------------------------------------


def test_no_name_of_a_minority_is_repaired():
    names = minority_names(6_000, random.Random(20))  # noqa: S311
    assert [name for name in names if is_harmed(name, parse_name(name))] == []


def test_columns_read_every_reported_name_as_one_by_one():
    raws = [raw for raw, *_ in READ] + KEPT + DAMAGED + NOBODY
    raws += [raw.upper() for raw in raws] + [unicodedata.normalize("NFD", raw) for raw in raws]
    for row in normalise_names(raws).to_pylist():
        parsed = parse_name(row["raw"])
        assert (row["canonical"], row["name_key"], row["notes"], row["reject"]) == (
            parsed.canonical, parsed.key, ";".join(parsed.notes), parsed.reject,
        )  # fmt: skip


# --- sex and flags --------------------------------------------------------------------------------

CODECS = ("latin-1", "cp1252", "cp1258", "mac_roman", "iso8859-2", "cp1250", "cp1251", "cp1254",
          "cp437", "cp850", "cp852")  # fmt: skip
VIQR = {"\u0300": "`", "\u0301": "'", "\u0309": "?", "\u0303": "~", "\u0323": ".", "\u0302": "^",
        "\u0306": "(", "\u031b": "+"}  # fmt: skip


def in_encodings(spelling: str) -> set[str]:
    """The spelling in every encoding that can write it."""
    tables = [{c: chr(b) for b, c in table.items()} for table in single_byte_tables().values()]
    tables.append({})
    for source, letter in vni_table().items():
        tables[-1].setdefault(letter, source)
    found = {
        "".join(table.get(c, c) for c in spelling)
        for table in tables
        if all(c.isascii() or c in table for c in spelling)
    }
    plain = spelling.replace("đ", "dd").replace("Đ", "DD")
    found.add("".join(VIQR.get(c, c) for c in unicodedata.normalize("NFD", plain)))
    for codec in CODECS:
        misread = spelling
        for _ in range(2):
            try:
                misread = misread.encode().decode(codec)
            except UnicodeDecodeError:
                break
            found.add(misread)
    return found


ACCENTED = [
    row
    for row in read_rows("value_spellings.csv")
    if not unicodedata.normalize("NFKC", row["spelling"]).isascii()
]


@pytest.mark.parametrize("row", ACCENTED, ids=lambda row: row["spelling"])
@pytest.mark.parametrize("case", [str, str.upper, str.title])
def test_every_spelling_of_a_value_is_read_in_every_encoding(row, case):
    parse = parse_gender if row["kind"] == "gender" else parse_flag
    expected = parse(row["spelling"])
    assert expected is not None
    for written in in_encodings(case(row["spelling"])):
        assert parse(written) == expected, written


@pytest.mark.parametrize("raw", ["N÷", "Ná»¯", "Nu+~", "Nöõ"])
def test_the_reported_spellings_of_female_are_read(raw):
    assert parse_gender(raw) == "F"


@pytest.mark.parametrize("raw", ["N¿", "N\ufffd", "Nỏ", "Ñ", "é", "à", "Nâm", "Ná"])
def test_what_no_encoding_makes_a_value_stays_unknown(raw):
    assert parse_gender(raw) is None
