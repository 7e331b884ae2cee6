"""How often normalisation changes a name that was right.

    python -m benchmarks.false_repairs [--names 60000] [--seed 1]

Belongs here: names that no repair may touch (of Vietnam's minorities, made from clans and typical
given syllables; of other countries, by Faker where it is installed), and the count of those that
were decoded, respelled or refused. Does not belong here: names with faults (``normalise.py``).

Faker is used only if it is installed: ``.uv/bin/uv run --with faker python -m
benchmarks.false_repairs``.
"""

from __future__ import annotations

import argparse
import random
import unicodedata
from collections import Counter
from collections.abc import Iterable

from etl.normalise import ParsedName, parse_name

LOCALES = (
    "az_AZ", "cs_CZ", "da_DK", "de_AT", "de_CH", "de_DE", "en_GB", "en_IN", "en_US", "es_AR",
    "es_ES", "es_MX", "et_EE", "fi_FI", "fr_CA", "fr_CH", "fr_FR", "hr_HR", "hu_HU", "id_ID",
    "is_IS", "it_IT", "lt_LT", "lv_LV", "nl_NL", "no_NO", "pl_PL", "pt_BR", "pt_PT", "ro_RO",
    "sk_SK", "sl_SI", "sv_SE", "tr_TR", "yo_NG", "zu_ZA",
)  # fmt: skip
PER_LOCALE = 1_500
# Notes that a right name may have: they are about how it was typed, not about what it says.
HARMLESS = frozenset(("case", "spaces", "unaccented", "abbreviated", "tone_style", "punctuation"))

_listed = str.split
# Peoples, and how their names are built: clans, the middle part, given syllables.
HMONG = (
    _listed(
        "Thò Giàng Sùng Vàng Lý Má Hờ Cứ Thào Vừ Lầu Mùa Hạng Chá Tráng Phàng Sồng Lờ Cháng Già Ma "
        "Sính Hầu Ly Vang Giang Thao Sung"
    ),
    ["", "A", "Mí", "Thị", "Seo", "Bá", "Nhìa", "Páo", "Y", "Chứ", "Thò", "Nỏ", "A Thò"],
    _listed(
        "Pó "
        "Páo Dúa Sử Rê Chớ Lử Dế Chinh Sua Mỷ Dở Vàng Của Lúa Máy Xìa Sính Phứ Tủa Chống Nủ Dợ Cở "
        "Pà Vư Thò Say Chú Cáng Dình Lềnh Mẩy Nếnh Xá Tếnh Dia Tro Sò Vò Hừ Phử Chơ Gống Kỷ Sáu "
        "Lía Ninh Của Thắng Sò Sênh Dơ Ká Mò Rùa Tồng Lừ Pùa"
    ),
)
THAI_TAY = (
    _listed(
        "Lò Quàng Cà Tòng Lường Bế Nông Hoàng Vi Lương Ma Đàm Lộc Chu Hà Vì Cầm Điêu Lầu Bạc Mùi "
        "Sầm Lô Lữ Kha Vang Quang Xồng"
    ),
    ["", "Văn", "Thị", "Thị Bé", "Seo", "Minh", "Bun", "Mạnh"],
    _listed(
        "Pọm Ún Pánh Inh Ín Ọi Pản Muôn Toán Hặc Dương Phớ Lả Sươi Thoong Lún Pâng Xôm Xiên Nọi "
        "Ánh Phanh Biên Chựa Ơn Bó Ngoan Pín Thích Tưởng Ngần Kẹo Ín Hoạch Tướp Bé Con"
    ),
)
KHMER = (
    _listed("Thạch Sơn Kim Kiên Danh Lâm Châu Chau Neáng Néang Neàng Trà Tăng Lý Đào Huỳnh"),
    ["", "Thị", "Sa", "Sà", "Sô", "Sóc", "Chanh", "Thị Sà", "Ngọc"],
    _listed(
        "Phia Rây Rương Lươl Kha Mít Thonl Phol Quênl Vane Bươl Pholl Vươne Rươne Kunth Thươl Đươl "
        "Khươl Sươne Sane Rum Ong Na Pho Chane Phi Đa Ra Sóc Khone Rith Sary Phép"
    ),
)
HIGHLANDS_GIVEN = _listed(
    "Bung Hen Loan Linh Wên Nuên Sâm Zĭu Ñut Blăo Jĭp Mrao Thuyên Ngăm Hoa Yao Suyên Moan Thịnh "
    "Dhăm Bhiông Krang Jŭt Wih Phôn Luyện Ƀlô Nguyên Tru Quynh Bluêh Bơ Yéo Nét Hương Mlơt Hnoan "
    "Djuai Phiơt Djruêng Lơn Kơk Wơt Thiêm Brơi Brểu Sỏi Lung Mlương Xrơng Djăng Rơn Hmưnh Bri "
    "Khăp Klơng Hnhưm Tuấn Phước Hân Thuý Hoà Hoè Noé Duê Ngoé"
)
HIGHLANDS_CLANS = _listed(
    "Mlô Byă Niê Êñuôl Êban Kbuôr Kriêng Niê_Kđăm Hđơk Ayŭn Tơr Buôn_Krông Kpă Rčăm Ksơr Buôn_Yă "
    "Bkrông Adrơng Alio Bdap Knul Hmok Hwing Ksor Siu Rahlan"
)
FIRST_CLANS = _listed(
    "Ksor Siu Kpă Nay Rmah Puih Rơ_Châm Rơ_Mah Rơ_Lan Rcom Rchăm Hiao Kpuih Rah_Lan Kơ_Să Lơ_Mu "
    "Cil Bon_Yô Ka_Dơng A_Lăng Zơ_Râm Bhling Pơ_Loong Hốih Coor Bríu Arất Đinh Điểu"
)


def minority_names(count: int, rng: random.Random) -> list[str]:
    """Makes distinct names as the Hmong, Thái, Tày, Khmer and highland peoples have them."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[_lowland(rng) if rng.random() < 0.7 else _highland(rng)] = None
    return list(found)


def _lowland(rng: random.Random) -> str:
    clans, middles, given = rng.choice((HMONG, HMONG, THAI_TAY, KHMER))
    words = [rng.choice(clans), rng.choice(middles), rng.choice(given)]
    if rng.random() < 0.5:
        words.append(rng.choice(given))
    return " ".join(word for word in words if word)


def _highland(rng: random.Random) -> str:
    given, clan = rng.choice(HIGHLANDS_GIVEN), rng.choice(HIGHLANDS_CLANS)
    second = rng.choice(["", "", " " + rng.choice(HIGHLANDS_GIVEN)])
    first = rng.choice(FIRST_CLANS)
    shape = rng.choice(("H'{given}{second} {clan}", "Y {given}{second} {clan}",
                        "{first} H'{given}{second}", "{first} {given}{second}",
                        "K'{given}{second}", "Thị {given}{second}"))  # fmt: skip
    name = shape.format(given=given, second=second, clan=clan, first=first)
    return name.replace("_", " ")


def foreign_names(seed: int) -> list[str]:
    """Distinct first and last names of Faker's locales with Latin letters; none without Faker."""
    try:
        from faker import Faker  # type: ignore[import-not-found]
    except ImportError:
        return []
    found: dict[str, None] = {}
    for locale in LOCALES:
        Faker.seed(seed)
        fake = Faker(locale)
        for _ in range(PER_LOCALE):
            found[f"{fake.first_name()} {fake.last_name()}"] = None
    return list(found)


def is_harmed(name: str, parsed: ParsedName) -> bool:
    """Whether a letter of a right name was changed or lost, apart from case and tone style."""
    if parsed.canonical is None or not HARMLESS.issuperset(parsed.notes):
        return True
    return _bare(parsed.canonical) != _bare(name)


def _bare(name: str) -> str:
    """Removes the tones, so that both tone styles are equal."""
    tones = "\u0300\u0301\u0303\u0309\u0323"
    letters = unicodedata.normalize("NFD", name.lower().replace("i\u0307", "i"))
    return "".join(
        c for c in letters if c.isalnum() or (unicodedata.combining(c) and c not in tones)
    )


def report(title: str, names: Iterable[str], spelling: str = "") -> None:
    """Prints how many names were harmed and by what, with a few examples."""
    names = list(names)
    harmed = [(name, parse_name(name)) for name in names]
    harmed = [(name, parsed) for name, parsed in harmed if is_harmed(name, parsed)]
    why: Counter[str] = Counter()
    for _, parsed in harmed:
        why.update([parsed.reject] if parsed.reject else parsed.notes)
    decoded = sum(any(n.startswith("decoded") for n in parsed.notes) for _, parsed in harmed)
    print(f"{title}{spelling}: {len(names):,} names, {decoded} decoded, {len(harmed)} harmed")
    print("   ", dict(why.most_common()))
    for name, parsed in harmed[:6]:
        print(f"    {name} -> {parsed.canonical or parsed.reject} {';'.join(parsed.notes)}")


def main() -> None:
    """Counts harmed names, as written and in capitals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    minority = minority_names(options.names, random.Random(options.seed))  # noqa: S311
    report("minority", minority)
    report("minority", [name.upper() for name in minority], ", capitals")
    foreign = foreign_names(options.seed)
    if not foreign:
        print("Faker is not installed, so no foreign names.")
        print("What to do: .uv/bin/uv run --with faker python -m benchmarks.false_repairs")
    report("foreign", foreign)


if __name__ == "__main__":
    main()
