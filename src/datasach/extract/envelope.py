"""BHYT envelopes (GIAMDINHHS, QĐ 130 / 4750 / 3176): one file → its treatment episodes and their rows.

    GIAMDINHHS / THONGTINDONVI / MACSKCB
               / THONGTINHOSO  / NGAYLAP, SOLUONGHOSO, DANHSACHHOSO / HOSO / FILEHOSO
                                 (LOAIHOSO = XML0…XML15, NOIDUNGFILE = base64 of an XML document)
               / CHUKYDONVI

Vendors also send NOIDUNGFILE un-encoded (child elements, or text in a CDATA section), wrapped over
lines, pretty-printed, with a byte-order mark or in another encoding: all are read, and counted.

Where the time goes: C parses; Python makes one list per row (`[cell.text for cell in row]`) and one
tuple of its tags. Rows are kept by layout, i.e. by their tuple of tags, and turned into columns once
per batch: no dict per row, no look-up per cell.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from datasach.errors import UnreadableExtract
from datasach.signing.structure import is_signed

ROOT = "GIAMDINHHS"
MAX_UNITS = 20_000
MAX_INNER_BYTES = 50 * 2**20
HUGE_FROM = 9 * 2**20
MAX_MARKS = 4_000_000
"""Opening and closing marks of one document."""
OVER_LIMIT = ("depth", "too long", "huge", "too large", "too many", "amplification")
"""How libxml2 says that a document is beyond one of its limits."""
XML_SPACE = b" \t\r\n"
DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
TABLE = re.compile(r"XML(1[0-5]|[0-9])")


def parser(size: int) -> etree.XMLParser:
    """A parser that reads no other file, no network, no entity and no DTD."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        recover=False,
        huge_tree=size > HUGE_FROM,
        remove_comments=True,
        remove_pis=True,
    )


_PARSER = parser(0)
_HUGE = parser(HUGE_FROM + 1)


def parse(data: bytes) -> etree._Element:
    """Parse an untrusted document.

    Raises UnreadableExtract: XML_EMPTY, XML_LIMIT, XML_DTD, XML_ENCODING, XML_SYNTAX (with line and column).
    """
    if not data.strip():
        raise UnreadableExtract("XML_EMPTY", "no content")
    # Each element costs some 130 bytes of memory, however short it is written.
    if data.count(b"<") > MAX_MARKS:
        raise UnreadableExtract("XML_LIMIT", "too many elements")
    try:
        root = etree.fromstring(data, _HUGE if len(data) > HUGE_FROM else _PARSER)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        if b"<!DOCTYPE" in data or "entity" in str(error).lower():
            raise UnreadableExtract("XML_DTD", f"line {line}") from None
        message = str(error).lower()
        if any(words in message for words in OVER_LIMIT):
            raise UnreadableExtract("XML_LIMIT", f"line {line}") from None
        code = "XML_ENCODING" if "encod" in message or "utf-8" in message else "XML_SYNTAX"
        raise UnreadableExtract(code, f"line {line}, column {column}") from None
    except (ValueError, LookupError):
        raise UnreadableExtract("XML_ENCODING", "") from None
    docinfo: Any = root.getroottree().docinfo
    if docinfo.doctype:
        raise UnreadableExtract("XML_DTD", "a document type is declared")
    return root


@dataclass(slots=True)
class Part:
    """One FILEHOSO: its table and the decoded document, or why it could not be decoded."""

    table: str
    root: etree._Element | None
    problem: str | None = None
    elements: int = -1
    """How many elements the document has, told from its marks alone; -1 where marks cannot tell."""


@dataclass(slots=True)
class Unit:
    """One HOSO."""

    number: int
    parts: list[Part] = field(default_factory=list)


@dataclass(slots=True)
class EnvelopeFile:
    facility: str | None
    declared_on: str | None
    units_said: int | None
    is_signed: bool
    """Something that may be a signature is in the file; whether it is one is another question."""
    units: Iterator[Unit]
    notes: set[str]


def local(element: Any) -> str:
    """Tag without a namespace (some vendors declare one)."""
    tag: str = element.tag
    return tag.rpartition("}")[2] if tag[0] == "{" else tag


def _child(element: Any, name: str) -> Any | None:
    if element is None:
        return None
    found = element.find(name)
    if found is not None:
        return found
    return next((child for child in element if local(child).upper() == name), None)


def _text(element: Any, *names: str) -> str | None:
    for name in names:
        element = _child(element, name)
    text = (element.text or "").strip() if element is not None else ""
    return text or None


def read_envelope(data: bytes) -> EnvelopeFile:
    """Open an envelope; its units are read lazily.

    Raises UnreadableExtract when the file as a whole cannot be used: XML_*, ENV_ROOT, ENV_LIMIT,
    ENV_NO_FACILITY, ENV_NO_UNITS.
    """
    root = parse(data)
    notes = _notes(data)
    if local(root).upper() != ROOT:
        raise UnreadableExtract("ENV_ROOT", "the root element is not GIAMDINHHS")
    facility = _text(root, "THONGTINDONVI", "MACSKCB")
    if facility is None:
        raise UnreadableExtract("ENV_NO_FACILITY", "MACSKCB is empty")
    info = _child(root, "THONGTINHOSO")
    listing = _child(info, "DANHSACHHOSO")
    if listing is None:
        raise UnreadableExtract("ENV_NO_UNITS", "DANHSACHHOSO is missing")
    elements = [child for child in listing if local(child).upper() == "HOSO"]
    if len(elements) > MAX_UNITS:
        raise UnreadableExtract("ENV_LIMIT", f"more than {MAX_UNITS} HOSO")
    said = _text(info, "SOLUONGHOSO") or ""
    return EnvelopeFile(
        facility=facility,
        declared_on=_text(info, "NGAYLAP"),
        units_said=int(said) if said.isascii() and said.isdigit() and len(said) < 9 else None,
        is_signed=is_signed(root),
        units=_units(elements, notes),
        notes=notes,
    )


def _notes(data: bytes) -> set[str]:
    """What was tolerated about the bytes themselves."""
    if data.startswith(b"\xef\xbb\xbf"):
        return {"BOM"}
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return {"UTF16"}
    head = data[:200].lower()
    if b"encoding=" in head and not re.search(rb"""encoding=["']utf-?8""", head):
        return {"OTHER_ENCODING"}
    return set()


def _units(elements: list[Any], notes: set[str]) -> Iterator[Unit]:
    for number, element in enumerate(elements, 1):
        unit = Unit(number)
        seen: set[str] = set()
        for file_element in element:
            if local(file_element).upper() != "FILEHOSO":
                continue
            kind, content = file_element.find("LOAIHOSO"), file_element.find("NOIDUNGFILE")
            if kind is None or content is None:
                kind, content = (
                    _child(file_element, "LOAIHOSO"),
                    _child(file_element, "NOIDUNGFILE"),
                )
            table = ((kind.text or "").strip() if kind is not None else "").upper()
            if not TABLE.fullmatch(table):
                unit.parts.append(Part("", None, "PART_UNKNOWN"))
            elif table in seen:
                unit.parts.append(Part(table, None, "PART_TWICE"))
            elif content is None:
                unit.parts.append(Part(table, None, "PART_EMPTY"))
            else:
                unit.parts.append(_part(table, content, notes))
            seen.add(table)
        yield unit


def _part(table: str, content: Any, notes: set[str]) -> Part:
    try:
        if len(content):
            notes.add("UNENCODED")
            return Part(table, content[0])
        document = _decode(content.text or "", notes)
        return Part(table, parse(document), elements=_elements(document))
    except UnreadableExtract as error:
        return Part(table, None, f"PART_{error.code}")


def _elements(document: bytes) -> int:
    """Every `<` that opens neither an end tag nor a declaration opens an element. Comments and CDATA
    may hold a `<` of their own."""
    if b"<!" in document:
        return -1
    return document.count(b"<") - document.count(b"</") - document.count(b"<?")


def _decode(text: str, notes: set[str]) -> bytes:
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith("<"):
        notes.add("UNENCODED")
        # The text was already decoded with its envelope: what its declaration says no longer holds.
        return DECLARATION.sub("", stripped).encode()
    if len(text) * 3 // 4 > MAX_INNER_BYTES:
        raise UnreadableExtract("INNER_TOO_BIG", f"more than {MAX_INNER_BYTES >> 20} MiB")
    try:
        packed = text.encode("ascii")
        decoded = binascii.a2b_base64(packed, strict_mode=True)
    except UnicodeEncodeError:
        raise UnreadableExtract("BASE64", "") from None
    except binascii.Error:
        # Strict decoding refuses white space, which is allowed, and junk, which is not.
        compact = packed.translate(None, XML_SPACE)
        if compact == packed:
            raise UnreadableExtract("BASE64", "") from None
        notes.add("WRAPPED_BASE64")
        try:
            decoded = binascii.a2b_base64(compact, strict_mode=True)
        except binascii.Error:
            raise UnreadableExtract("BASE64", "") from None
    if not decoded:
        raise UnreadableExtract("XML_EMPTY", "")
    return decoded.lstrip(XML_SPACE) if decoded[:1].isspace() else decoded


@dataclass(frozen=True, slots=True)
class RowShape:
    """How rows of one XML table look: the record's tag, and the field each tag means."""

    record: str
    root: str
    fields: tuple[str, ...]
    aliases: dict[str, str]


def rows_of(
    part: Part, shape: RowShape
) -> tuple[list[tuple[tuple[str, ...], list[str | None]]], str | None]:
    """(tags, cells) of every record of a part, and a problem code if its form is not the standard's.

    A cell is None when its element is empty. Order is the document's.
    """
    root = part.root
    assert root is not None
    tag = local(root)
    problem = None if tag == shape.root else "PART_ROOT"
    if shape.record == shape.root:
        records = [root] if tag == shape.root or _looks_like_record(root, shape) else list(root)
    else:
        records = list(root.iter(shape.record))
        if not records:
            records = [e for e in root.iter() if _looks_like_record(e, shape)]
    rows: list[tuple[tuple[str, ...], list[str | None]]] = []
    elements = len(records)
    for record in records:
        cells = list(record)
        elements += len(cells)
        rows.append((tuple([cell.tag for cell in cells]), [cell.text for cell in cells]))
    # As many elements as cells, records and wrappers: then no cell holds markup. Only documents whose
    # marks tell otherwise, or cannot tell, need the closer look.
    wrappers = 0 if shape.record == shape.root else 2
    if part.elements != elements + wrappers and has_markup_in_cells(root, shape):
        problem = "PART_NESTED"
        rows = [
            (tags, ["".join(map(str, cell.itertext())) or None for cell in record])
            for (tags, _), record in zip(rows, records, strict=True)
        ]
    if not rows:
        problem = "PART_NO_ROWS"
    return rows, problem


_DEPTH = {
    1: etree.XPath("boolean(/*/*/*)"),
    2: etree.XPath("boolean(/*/*/*/*)"),
    3: etree.XPath("boolean(/*/*/*/*/*)"),
}


def has_markup_in_cells(root: Any, shape: RowShape) -> bool:
    """Does a cell hold markup? Flat tables are one level deep below the root, lists three."""
    if root.getparent() is not None:
        # Un-encoded content lies inside the envelope: count from the record itself.
        records = [root] if shape.record == shape.root else list(root.iter(shape.record))
        return any(len(cell) for record in records for cell in record)
    return bool(_DEPTH[1 if shape.record == shape.root else 3](root))


def _looks_like_record(element: Any, shape: RowShape) -> bool:
    tags = {local(child).lower() for child in element}
    return "ma_lk" in tags and len(tags & set(shape.fields)) >= min(4, len(shape.fields))
