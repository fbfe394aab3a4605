"""Which encoding a text file is in: declared, marked, or found out.

UTF-8 proves itself. Windows-1258 and the one-byte font encodings (TCVN3, VNI) cannot be told apart by
byte values alone, so the reading with more Vietnamese letters wins; font encodings are then repaired
value by value in `standardise`, where the source value is kept beside the repaired one.
"""

from __future__ import annotations

import codecs
import unicodedata
from pathlib import Path

from datasach.errors import UnreadableExtract

CHUNK = 1 << 20
VIETNAMESE = frozenset(
    "aàáảãạăằắẳẵặâầấẩẫậbcdđeèéẻẽẹêềếểễệfghiìíỉĩịjklmnoòóỏõọôồốổỗộơờớởỡợpqrstuùúủũụưừứửữựvwxyỳýỷỹỵz"
)


def detect(path: Path, declared: str | None) -> tuple[str, set[str]]:
    """Encoding of the file and the notes it deserves (`BOM`, `UTF16`, `OTHER_ENCODING`)."""
    with path.open("rb") as handle:
        head = handle.read(1 << 16)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig", {"BOM"}
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", {"UTF16"}
    if _is_utf8(path):
        return "utf-8", set()
    if head[1:2] == b"\0":
        return "utf-16-le", {"UTF16"}
    if b"\0" in head:
        raise UnreadableExtract("TEXT_NUL", "a byte of zero in a text")
    if declared:
        return declared, {"OTHER_ENCODING"}
    return max(("windows-1258", "cp1252"), key=lambda name: _vietnamese_share(head, name)), {
        "OTHER_ENCODING"
    }


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as handle:
            while chunk := handle.read(CHUNK):
                if b"\0" in chunk:
                    return False
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _vietnamese_share(data: bytes, encoding: str) -> float:
    text = unicodedata.normalize("NFC", data.decode(encoding, "replace")).lower()
    letters = [c for c in text if c.isalpha() or ord(c) > 127]
    return sum(c in VIETNAMESE for c in letters) / max(1, len(letters))


def as_utf8(path: Path, declared: str | None, scratch: Path) -> tuple[Path, set[str]]:
    """The file itself if it is plain UTF-8, else a transcoded copy in `scratch`; and its notes.

    Raises UnreadableExtract TEXT_ENCODING, TEXT_EMPTY or TEXT_NUL.
    """
    if path.stat().st_size == 0:
        raise UnreadableExtract("TEXT_EMPTY", "no content")
    encoding, notes = detect(path, declared)
    if encoding == "utf-8":
        return path, notes
    copy = scratch / f"{path.name[:16]}.utf8"
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
        with path.open("rb") as source, copy.open("wb") as target:
            while chunk := source.read(CHUNK):
                text = decoder.decode(chunk)
                if "\0" in text:
                    raise UnreadableExtract("TEXT_NUL", "a character of zero in a text")
                target.write(unicodedata.normalize("NFC", text).encode())
            target.write(decoder.decode(b"", final=True).encode())
    except (UnicodeDecodeError, LookupError):
        raise UnreadableExtract("TEXT_ENCODING", "not UTF-8 nor what the source declares") from None
    return copy, notes
