"""Names in a legacy encoding, decoded by the column as Arrow and numpy operations.

Belongs here: adding up each word's evidence for and against each encoding. Does not belong here:
the evidence of a word (``legacy``), nor any text that these sums alone do not decide: those go to
``names``; where both decide, they give the same answer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.normalise import damage, legacy, letters, misread
from etl.normalise.encodings import DECODERS
from etl.normalise.notes import NAME_NOTE_BIT

Array = Any  # pyarrow ships no types
Integers = np.ndarray[Any, np.dtype[np.int64]]
Booleans = np.ndarray[Any, np.dtype[np.bool_]]

_NOTES = np.array([NAME_NOTE_BIT[decoder.note] for decoder in DECODERS], np.int64)
_TWO_WORDS = "^[^ ]+(?: [^ ]+)+$"


class DecodedNames(NamedTuple):
    """What a column of names was decoded to.

    Attributes:
        texts: The decoded text; null where nothing was decoded.
        notes: The bit of the encoding's note, 0 where nothing was decoded.
        readable_as_stored: No encoding explains the text better than the text itself. Where this is
            false and no text is given, ``legacy.decode_bytes`` must decide.
    """

    texts: Array
    notes: Integers
    readable_as_stored: Booleans


def decode_names(raw: Array) -> DecodedNames:
    """Decodes the names that one encoding of one byte a letter explains better than any other.

    Args:
        raw: A string array without nulls.
    """
    beyond = pc.match_substring_regex(raw, misread.beyond_bytes().pattern)
    alone = _looked_at_alone(raw)
    stored: Booleans = pc.and_not(beyond, alone).to_numpy(False).copy()
    notes = np.zeros(len(raw), np.int64)
    open_rows = pc.and_not(_decided_by_words(raw), alone)
    where = np.flatnonzero(open_rows.to_numpy(False))
    if not len(where):
        return DecodedNames(pa.nulls(len(raw), pa.string()), notes, stored)
    words = _Words(raw.filter(open_rows))
    believed = words.believed()
    count = believed.sum(axis=1)
    decoder = believed.argmax(axis=1)
    doubtful = words.doubtful()
    one = (count == 1) & ~doubtful
    texts = pc.if_else(pa.array(one), words.decoded(decoder), pa.scalar(None, pa.string()))
    stored[where] = (count == 0) & ~doubtful
    notes[where] = np.where(one, _NOTES[decoder], 0)
    return DecodedNames(
        pc.replace_with_mask(pa.nulls(len(raw), pa.string()), open_rows, texts), notes, stored
    )


def _looked_at_alone(raw: Array) -> Array:
    """Rows that sums over words cannot decide: UTF-8, escapes, QR texts, lost letters."""
    alone = pc.match_substring_regex(raw, rf"\||{letters.ESCAPES}|{damage.suspicious_pattern()}")
    some = pc.match_substring_regex(raw, misread.TWO_BYTES.pattern)
    utf8 = pc.match_substring_regex(raw.filter(some), misread.may_be_utf8().pattern)
    return pc.or_(alone, pc.replace_with_mask(some, some, utf8))


def _decided_by_words(raw: Array) -> Array:
    """Rows of several words in single characters of one byte."""
    decided = pc.match_substring_regex(raw, f"^[ -~{misread.ONE_BYTE_LETTERS}]+$")
    decided = pc.and_(decided, pc.match_substring_regex(raw, _TWO_WORDS))
    return pc.and_not(decided, pc.string_is_ascii(raw))


class _Words:
    """The words of a column of texts, and what each says of each decoder."""

    def __init__(self, texts: Array) -> None:
        lists = pc.split_pattern(texts, " ")
        self._offsets = lists.offsets.to_numpy()
        encoded = lists.flatten().dictionary_encode()
        self._codes = encoded.indices.to_numpy()
        self._evidence = [legacy.evidence(word) for word in encoded.dictionary.to_pylist()]

    def _summed(self, facts: list[tuple[int, ...]]) -> Integers:
        """The facts of words, added up for each text."""
        values = np.array(facts, np.int64)[self._codes]
        return np.add.reduceat(values, self._offsets[:-1], axis=0)

    def believed(self) -> Booleans:
        """Which decoders explain each text: the rule of ``legacy``, for all rows at once."""
        readable = self._summed([word.readable for word in self._evidence])
        lengths = self._summed([word.lengths for word in self._evidence])
        telling = self._summed([word.telling for word in self._evidence])
        odd = self._summed([word.odd for word in self._evidence])
        signs = self._summed([(word.signs,) for word in self._evidence])
        before, readable, lengths = readable[:, :1], readable[:, 1:], lengths[:, 1:]
        as_letters = ((readable == lengths) | (readable - before >= 2)) & (telling > 0)
        accepted = np.where(signs > 0, 2 * readable >= lengths, as_letters)
        accepted &= (odd == 0) & (readable > before) & (lengths > 1)
        best = np.where(accepted, readable, -1).max(axis=1, keepdims=True)
        found: Booleans = accepted & (readable == best)
        return found

    def doubtful(self) -> Booleans:
        """Texts with a telltale that no other word supports: its place must decide, one by one."""
        told = self._summed([(word.telltale, word.bears_out) for word in self._evidence])
        found: Booleans = (told[:, 0] > 0) & (told[:, 1] == 0)
        return found

    def decoded(self, decoder: Integers) -> Array:
        """Each text under its decoder."""
        texts = pa.array([text for word in self._evidence for text in word.texts], pa.string())
        of_words = np.repeat(decoder, np.diff(self._offsets))
        chosen = texts.take(pa.array(self._codes * len(DECODERS) + of_words))
        return pc.binary_join(pa.ListArray.from_arrays(self._offsets, chosen), " ")
