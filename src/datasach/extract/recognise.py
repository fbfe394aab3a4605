"""Which source does a file belong to? By its name; failing that, by what it is.

Headings are compared without case, marks, blanks and punctuation: "Số CCCD/CMND" and "so_cccd_cmnd"
are one heading.
"""

from __future__ import annotations

import re
import unicodedata

from datasach.spec.project import Project
from datasach.spec.source import Source, TableMapping

KNOWN_SHARE = 0.5
"""A file no pattern claims is a source's if it shows every key field and this share of its headings (own proposal)."""
_NOT_WORD = re.compile(r"[^a-z0-9]+")


def fold_heading(text: str) -> str:
    """Comparison form of a heading.

    >>> fold_heading("Số CCCD/CMND")
    'socccdcmnd'
    """
    marks_off = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return _NOT_WORD.sub("", marks_off)


def by_name(project: Project, path: str, member: str | None = None) -> Source | None:
    """The first source one of whose patterns claims the content: by its own name, by its archive's, or by
    the folders it lay in (`79001/bhxh/…`). `.gz` is looked through."""
    names = [member.rsplit("/", 1)[-1]] if member else []
    names += [path.rsplit("/", 1)[-1], path]
    for name in names:
        bare = name[:-3] if name.lower().endswith(".gz") else name
        for source in project.sources.values():
            if source.claims(name) or source.claims(bare):
                return source
    return None


def looks_like(head: bytes) -> str | None:
    """Format of a content from its first bytes: an entry of `spec.source.Format`, or None."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    text = _readable(head).lstrip("\ufeff \t\r\n")
    if "GIAMDINHHS" in text[:4000]:
        return "bhyt_envelope"
    if text.startswith(("[", "{")):
        return "json"
    first_line = text.split("\n", 1)[0]
    if not text.startswith("<") and any(mark in first_line for mark in ",;\t|"):
        return "csv"
    return None


def _readable(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace")
    if head[1:2] == b"\0":
        return head.decode("utf-16-le", "replace")
    return head.decode("utf-8", "replace")


def envelope_default(project: Project) -> Source | None:
    return next(
        (s for s in project.sources.values() if s.format == "bhyt_envelope" and s.default), None
    )


def by_headings(headings: list[str], file_format: str, project: Project) -> Source | None:
    """The source whose columns these headings are; None if none fits, or two fit equally well.

    The format only breaks ties: a facility may save a CSV extract as a workbook.
    """
    fits: list[tuple[float, bool, str]] = []
    for source in project.sources.values():
        for table_id, mapping in source.tables.items():
            if mapping.path != "$":
                continue
            found = match_headings(headings, mapping, project.tables[table_id].field_names)
            share = len(found) / max(1, len(mapping.columns))
            key_seen = all(key in found for key in project.tables[table_id].key)
            if key_seen and share >= KNOWN_SHARE:
                fits.append((share, source.format == file_format, source.id))
    fits.sort(reverse=True)
    if not fits or (len(fits) > 1 and fits[0][:2] == fits[1][:2]):
        return None
    return project.sources[fits[0][2]]


def match_headings(headings: list[str], mapping: TableMapping, fields: list[str]) -> dict[str, str]:
    """Contract field → the heading that carries it. A field's own name wins over other spellings."""
    by_fold: dict[str, str] = {}
    for heading in headings:
        by_fold.setdefault(fold_heading(heading), heading)
    found: dict[str, str] = {}
    for field in fields:
        for spelling in (field, *mapping.columns.get(field, ())):
            carried_by = by_fold.get(fold_heading(spelling))
            if carried_by is not None:
                found[field] = carried_by
                break
    return found
