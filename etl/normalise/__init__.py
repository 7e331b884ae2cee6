"""Vietnamese names, numbers, dates and cards, understood one value at a time.

Belongs here: pure functions from a recorded string to what it means, with the reasons. Does not
belong here: databases, files of users, or any decision about who is who. Facts that a domain expert
may correct are CSV files in ``data/``.

Whole columns go through ``etl.normalise.bulk``, which needs pyarrow and is imported on its own.
"""

from etl.domain.codes import BirthLevel, GenderLevel, NameLevel
from etl.normalise.births import ParsedBirth, parse_birth
from etl.normalise.compare import (
    NameComparison,
    compare_births,
    compare_genders,
    compare_names,
)
from etl.normalise.names import ParsedName, parse_name
from etl.normalise.notes import describe
from etl.normalise.numbers import (
    ParsedNumber,
    PersonalNumber,
    decode_personal_number,
    parse_number,
)
from etl.normalise.provinces import parse_province
from etl.normalise.statuses import parse_status
from etl.normalise.values import parse_flag, parse_gender

# Raised whenever a function here may return something else for the same input, or other columns:
# dictionaries computed with another version are computed again.
NORMALISER_VERSION: int = 7

__all__ = [
    "NORMALISER_VERSION",
    "BirthLevel",
    "GenderLevel",
    "NameComparison",
    "NameLevel",
    "ParsedBirth",
    "ParsedName",
    "ParsedNumber",
    "PersonalNumber",
    "compare_births",
    "compare_genders",
    "compare_names",
    "decode_personal_number",
    "describe",
    "parse_birth",
    "parse_flag",
    "parse_gender",
    "parse_name",
    "parse_number",
    "parse_province",
    "parse_status",
]
