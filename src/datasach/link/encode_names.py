"""Names of persons as integers: surname, middle and given name, whatever marks, order and telex did to them."""

from __future__ import annotations

import numpy as np
import polars as pl

from datasach.link.encode import Array, Feature, Vocabulary, distinct_of, text_hash
from datasach.vn.names import parse_distinct
from datasach.vn.telex import is_plain_syllable, undo_telex

LETTER_BITS = 5
START_LETTERS = 12
"""Letters of what stands after the surname that are kept, to see that one name was cut off where the other goes on."""


def encode_names(
    full: pl.Series, skipped: list[str], known: dict[str, Vocabulary] | None = None
) -> Feature:
    """Vietnamese full names: surname first, given name last, what stands between is the middle name.

    Placeholders ("Vô Danh", "Con bà …") are nobody's name. Works on distinct names.
    """
    sent, which, counts = distinct_of(full)
    columns = ["name_lower", "name_folded", "is_placeholder_name"]
    parsed = parse_distinct(sent, [*columns, "full_name"] if skipped else columns)
    skip = parsed["is_placeholder_name"]
    if skipped:
        skip = skip | parsed["full_name"].is_in(skipped) | sent.is_in(skipped)
    words = (
        pl.DataFrame(
            {
                "n": counts,
                "marked": parsed["name_lower"],
                "name": parsed["name_folded"],
                "skip": skip,
            }
        )
        .with_row_index("at")
        .with_columns(pl.col("name").str.strip_chars(" "))
        .filter(~pl.col("skip").fill_null(True) & (pl.col("name") != ""))
        .drop("skip")
    )
    words = words.with_columns(_plain_tokens(words["name"]))
    words = words.with_columns(
        surname=pl.col("tokens").list.first(),
        given=pl.col("tokens").list.last(),
        middle=pl.col("tokens").list.slice(1, pl.col("tokens").list.len() - 2).list.join(" "),
        # The same for the same words in any order.
        ordered=pl.col("tokens").list.eval(pl.element().hash(seed=7)).list.sum(),
        given_marked=pl.col("marked").str.split(" ").list.last(),
        has_marks=pl.col("marked") != pl.col("name"),
    ).with_columns(
        # A name of one word has a given name only.
        surname=pl.when(pl.col("tokens").list.len() > 1).then("surname"),
        middle=pl.when(pl.col("tokens").list.len() > 1).then("middle"),
    )
    vocabularies = known or {}
    codes = {}
    for part in ("surname", "middle", "given"):
        if known is None:
            vocabularies[part] = Vocabulary.of(words[part], words["n"])
            # The empty middle name is a value of its own: code 0 stays "not known".
        else:
            vocabularies[part].extend(words[part])
        codes[part] = vocabularies[part].encode(words[part])
    # Lowest bit: the whole name carries marks somewhere, so their absence elsewhere is meant.
    marked = (text_hash(words["given_marked"]) >> np.uint64(32)).astype(np.uint32)
    by_name: dict[str, Array] = {
        "given": codes["given"],
        "surname": codes["surname"],
        "middle": codes["middle"],
        "ordered": (words["ordered"].to_numpy() >> np.uint64(24)).astype(np.uint32) | np.uint32(1),
        # The surname as if it were a given name, to see that two names were only turned round.
        "turned": vocabularies["given"].encode(words["surname"]),
        "start": _starts(words["middle"], words["given"]),
        "marked": (marked & np.uint32(0xFFFFFFFE)) | words["has_marks"].to_numpy(),
    }
    arrays = {}
    for part, values in by_name.items():
        of_sent = np.zeros(len(sent) + 1, values.dtype)
        of_sent[words["at"].to_numpy()] = values
        arrays[part] = of_sent[which]
    return Feature("person_name", arrays, vocabularies)


def _starts(middle: pl.Series, given: pl.Series) -> Array:
    """The first letters of middle and given name in one uint64, the first of them in the highest bits, 0 after the last."""
    text = pl.DataFrame({"m": middle, "g": given}).select(
        pl.concat_str("m", "g", separator=" ", ignore_nulls=True)
        .str.strip_chars_start(" ").str.slice(0, START_LETTERS).str.pad_end(START_LETTERS, "@")
    ).to_series()  # fmt: skip
    # Equally long and ASCII, so their bytes stand in rows.
    letters = np.frombuffer(text.to_arrow().buffers()[2] or b"", np.uint8)
    letters = letters[: len(text) * START_LETTERS].reshape(-1, START_LETTERS)
    # a … z are 1 … 26, what ends a name 0; apostrophe and blank get what is left.
    codes = letters & 31
    codes[letters == ord("'")] = 27
    codes[letters == ord(" ")] = 28
    packed: Array = np.zeros(len(letters), np.uint64)
    for place in range(START_LETTERS):
        packed = (packed << np.uint64(LETTER_BITS)) | codes[:, place]
    return packed


def _plain_tokens(folded: pl.Series) -> pl.Series:
    """Folded names as lists of tokens with telex residue undone and i for a final y."""
    odd = folded.str.contains(r"[^a-z' ]|  |\A | \z")
    if odd.any():
        plain = folded.str.replace_all(r"[^a-z']+", " ").str.strip_chars(" ")
        folded = pl.select(pl.when(odd).then(plain).otherwise(folded)).to_series()
    tokens = folded.str.split(" ").list.eval(pl.element().filter(pl.element() != ""))
    distinct = tokens.explode().unique().drop_nulls()
    mended = {t: plain_token(t) for t in distinct.to_list()}
    changed = {t: m for t, m in mended.items() if t != m}
    if changed:
        tokens = tokens.list.eval(pl.element().replace(list(changed), list(changed.values())))
    return tokens.alias("tokens")


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
