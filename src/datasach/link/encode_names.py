"""Names of persons as integers: surname, middle and given name, whatever marks, order and telex did to them.

A nation's names are made of a few thousand words. So names are split into words first, the words are read once each,
and all that is said of a name is put together from numbers of words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from datasach.link.encode import Array, Feature, Vocabulary, distinct_of
from datasach.link.text_hash import text_hash
from datasach.vn.names import parse_distinct, read_words
from datasach.vn.telex import is_plain_syllable, undo_telex

LETTER_BITS = np.uint64(5)
START_LETTERS = 12
"""Letters of what stands after the surname that are kept, to see that one name was cut off where the other goes on."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class Names:
    """Distinct names, each a run of words."""

    row: Array
    """Which of the names that were sent each is; those that are nobody's name are not here."""
    first: Array
    """Where the words of each begin in `word`."""
    size: Array
    """How many words it has, at least one."""
    word: Array
    """Number of every word of every name, one name after the other."""
    plain: pl.Series
    """By number of a word, without a null: one spelling for one syllable (`plain_token`); the same may stand here twice."""
    marked: Array
    """By number of a word: hash of its letters with their marks."""
    has_marks: Array


def encode_names(
    full: pl.Series, skipped: list[str], known: dict[str, Vocabulary] | None = None
) -> Feature:
    """Vietnamese full names: surname first, given name last, what stands between is the middle name.

    Placeholders ("Vô Danh", "Con bà …") are nobody's name. Works on distinct names.
    """
    sent, which, counts = distinct_of(full)
    names = _names(sent, skipped)
    spelled, number, _ = distinct_of(names.plain)
    word = number[names.word]
    last = names.first + names.size - 1
    carried = counts[names.row]
    # A name of one word has a given name only.
    several = names.size > 1
    vocabularies = known or {}
    codes = {
        "surname": _coded(spelled, np.where(several, word[names.first], -1), carried, vocabularies, "surname"),
        "middle": _middle_codes(names, spelled, word, carried, vocabularies),
        "given": _coded(spelled, word[last], carried, vocabularies, "given"),
    }  # fmt: skip
    hashes = text_hash(spelled)
    # The same for the same words in any order.
    ordered = np.add.reduceat(hashes[word], names.first) if len(word) else np.zeros(0, np.uint64)
    marks = (
        np.logical_or.reduceat(names.has_marks[names.word], names.first) if len(word) else several
    )
    as_given = vocabularies["given"].encode(spelled)
    by_name: dict[str, Array] = {
        **codes,
        "ordered": (ordered >> np.uint64(24)).astype(np.uint32) | np.uint32(1),
        # The surname as if it were a given name, to see that two names were only turned round.
        "turned": np.where(several, as_given[word[names.first]], np.int32(0)),
        "start": _starts(names, word, spelled),
        # Lowest bit: the whole name carries marks somewhere, so their absence elsewhere is meant.
        "marked": (names.marked[names.word[last]] & np.uint32(0xFFFFFFFE)) | marks,
    }
    arrays = {}
    for part, values in by_name.items():
        of_sent = np.zeros(len(sent) + 1, values.dtype)
        of_sent[names.row] = values
        arrays[part] = of_sent[which]
    return Feature("person_name", arrays, vocabularies)


def _names(sent: pl.Series, skipped: list[str]) -> Names:
    """Distinct names as words: most word by word, those with anything unusual as `vn.names.parse` reads them."""
    size, texts, word = _split(sent)
    first = np.cumsum(size) - size
    read = read_words(texts)
    # Names to skip are known by what is sent or shown, so then every name is needed as it is shown.
    odd = np.full(len(sent), bool(skipped))
    if len(sent) and not skipped:
        odd = np.logical_or.reduceat(read["odd"].to_numpy()[word], first)
        odd |= read["leading"].to_numpy()[word[first]]
    row, row_odd = np.flatnonzero(~odd), np.flatnonzero(odd)
    word, size = word[np.repeat(~odd, size)], size[~odd]
    if len(row_odd):
        parsed = parse_distinct(
            sent.gather(row_odd), ["full_name", "name_lower", "is_placeholder_name"]
        )
        nobody = parsed["is_placeholder_name"] | sent.gather(row_odd).is_in(skipped)
        nobody |= parsed["full_name"].is_in(skipped)
        lower = parsed.select(
            pl.when(~pl.lit(nobody)).then("name_lower").fill_null("")
            .str.replace_all(r"[^\pL\pM'’‘ʼ`´]+", " ").str.strip_chars(" ")
        ).to_series()  # fmt: skip
        more_size, more_texts, more_word = _split(lower)
        more = read_words(more_texts)
        # A word without a letter of ours is none.
        none = (more["folded"] == "").to_numpy()[more_word]
        name = np.repeat(np.arange(len(lower)), more_size)[~none]
        more_size = np.bincount(name, minlength=len(lower))
        row = np.r_[row, row_odd[more_size > 0]]
        size = np.r_[size, more_size[more_size > 0]]
        word = np.r_[word, len(texts) + more_word[~none]]
        read = pl.concat([read, more])
    plain = _plain_tokens(read["folded"])
    return Names(
        row, np.cumsum(size) - size, size, word, plain,
        (text_hash(read["lower"]) >> np.uint64(32)).astype(np.uint32),
        (read["lower"] != read["folded"]).to_numpy(),
    )  # fmt: skip


def _split(names: pl.Series) -> tuple[Array, pl.Series, Array]:
    """How many words each name has, the distinct words, and which of them all words of all names are."""
    listed = names.str.split(" ")
    texts, word, _ = distinct_of(listed.explode())
    return listed.list.len().to_numpy().astype(np.int64), texts, word


def _coded(
    spelled: pl.Series,
    of_name: Array,
    carried: Array,
    vocabularies: dict[str, Vocabulary],
    part: str,
) -> Array:
    """Codes of one part of every name; `of_name` says which of `spelled` it is, -1 none."""
    counts = np.bincount(of_name + 1, carried, len(spelled) + 1)[1:].astype(np.int64)
    met = np.flatnonzero(counts)
    texts = spelled.gather(met)
    if part in vocabularies:
        vocabularies[part].extend(texts)
    else:
        vocabularies[part] = Vocabulary.of(texts, pl.Series(counts[met]))
    codes = np.zeros(len(spelled) + 1, np.int32)
    codes[met] = vocabularies[part].encode(texts)
    return codes[of_name]


def _middle_codes(
    names: Names,
    spelled: pl.Series,
    word: Array,
    carried: Array,
    vocabularies: dict[str, Vocabulary],
) -> Array:
    """Codes of middle names; the empty one is a value of its own: code 0 stays "not known"."""
    # 0 the empty one, then each word alone, then what is made of more.
    which = np.where(names.size > 2, 1 + word[np.minimum(names.first + 1, len(word) - 1)], 0)
    longer = np.flatnonzero(names.size > 3)
    key = np.zeros(len(longer), np.uint64)
    for place in range(1, int(names.size.max(initial=0)) - 1):
        inside = np.flatnonzero(names.size[longer] > place + 1)
        key[inside] ^= word[names.first[longer[inside]] + place].astype(np.uint64) + np.uint64(1)
        key[inside] *= _MIX
        key[inside] ^= key[inside] >> np.uint64(32)
    _, some, number = np.unique(key, return_index=True, return_inverse=True)
    which[longer] = 1 + len(spelled) + number
    words = spelled.to_list()
    made = [
        " ".join(words[w] for w in word[first + 1 : first + size - 1])
        for first, size in zip(
            names.first[longer[some]].tolist(), names.size[longer[some]].tolist(), strict=True
        )
    ]
    texts = pl.concat([pl.Series([""]), spelled, pl.Series(made, dtype=pl.String)])
    return _coded(texts, np.where(names.size > 1, which, -1), carried, vocabularies, "middle")


def _starts(names: Names, word: Array, spelled: pl.Series) -> Array:
    """The first letters of middle and given name in one uint64, the first of them in the highest bits, 0 after the last."""
    padded = spelled.str.slice(0, START_LETTERS).str.pad_end(START_LETTERS, "@")
    # Equally long and ASCII, so their bytes stand in rows. a … z are 1 … 26, a blank is 28, what ends a name 0.
    letters = np.frombuffer(padded.to_arrow().buffers()[2] or b"", np.uint8) & 31
    of_word: Array = np.zeros(len(spelled), np.uint64)
    for place in range(START_LETTERS):
        of_word = (of_word << LETTER_BITS) | letters[
            place : len(spelled) * START_LETTERS : START_LETTERS
        ]
    length = spelled.str.len_bytes().to_numpy().astype(np.uint64)
    after_surname = np.minimum(names.size - 1, 1)
    packed: Array = np.zeros(len(names.first), np.uint64)
    used = packed.copy()
    for place in range(int(names.size.max(initial=0))):
        inside = np.flatnonzero((names.size - after_surname > place) & (used < START_LETTERS))
        at = word[names.first[inside] + after_surname[inside] + place]
        if place:
            packed[inside] |= np.uint64(28) << (
                LETTER_BITS * (np.uint64(START_LETTERS - 1) - used[inside])
            )
            used[inside] += np.uint64(1)
        packed[inside] |= of_word[at] >> (LETTER_BITS * used[inside])
        used[inside] += length[at]
    return packed


def _plain_tokens(folded: pl.Series) -> pl.Series:
    """Words without marks with telex residue undone and i for a final y."""
    distinct = folded.unique()
    return folded.replace(
        distinct, pl.Series([plain_token(word) for word in distinct], dtype=pl.String)
    )


def plain_token(token: str) -> str:
    """One spelling for what is one syllable: telex residue undone, a final y after a consonant is i.

    >>> plain_token("nguyeexn"), plain_token("ly"), plain_token("huy")
    ('nguyen', 'li', 'huy')
    """
    if not is_plain_syllable(token):
        token = undo_telex(token) or token
    if (
        len(token) > 1
        and token[-1] == "y"
        and (token[-2] in "bcdghklmnprstvx" or token.endswith("quy"))
    ):
        return token[:-1] + "i"
    return token
