"""YAML as we accept it: every scalar is text, every mistake has a file and a line, all at once.

Plain YAML turns the facility code 01001 into 513, `no` into False and keeps the last of two equal
keys in silence. So scalars stay text and the models give them their types; duplicate keys, anchors
and aliases are refused (an alias bomb of 342 bytes takes a process down when it is written out again).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from datasach.errors import SpecError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same language, read by C where the library was built with it: ten times faster."""
MAX_BYTES = 1_000_000
MAX_DEPTH = 24

Path_ = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)


class Declared(BaseModel):
    """Base of everything declared: frozen, and a key we do not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a declaration."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(slots=True)
class Problems:
    """Collects every problem of a project, so that a person mends them in one go."""

    root: Path
    found: list[Problem] = field(default_factory=list)

    def add(self, file: Path, line: int, message: str) -> None:
        shown = file.relative_to(self.root) if file.is_relative_to(self.root) else file
        self.found.append(Problem(str(shown), line, message))

    def raise_if_any(self) -> None:
        if self.found:
            lines = "\n".join(str(p) for p in sorted(self.found, key=lambda p: (p.file, p.line)))
            count = len(self.found)
            raise SpecError(f"{count} problem{'s' if count > 1 else ''} in the project:\n{lines}")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: its data (dicts, lists, str, None) and the line of every node."""

    path: Path
    data: Any
    lines: dict[Path_, int]

    def line(self, where: Iterable[str | int]) -> int:
        """Line of the node, or of the nearest ancestor that has one."""
        path = tuple(where)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def suggestion(word: str, known: Iterable[str]) -> str:
    """` (did you mean "…"?)`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""


def read_yaml(path: Path, problems: Problems) -> Document | None:
    """Read one file; None if it is beyond use (the problem is noted)."""
    if path.stat().st_size > MAX_BYTES:
        problems.add(path, 1, f"larger than {MAX_BYTES} bytes: split it")
        return None
    try:
        text = path.read_text(encoding="utf-8")
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                problems.add(
                    path, _line_of(event.start_mark), "anchors and aliases are not accepted"
                )
                return None
        root = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or type(error).__name__
        problems.add(path, mark.line + 1 if mark else 1, f"not valid YAML: {reason}")
        return None
    lines: dict[Path_, int] = {}
    data = _plain(root, (), lines, path, problems) if root is not None else None
    return Document(path, data, lines)


def _line_of(mark: Any) -> int:
    return int(mark.line) + 1 if mark is not None else 1


def _plain(
    node: yaml.Node, where: Path_, lines: dict[Path_, int], file: Path, problems: Problems
) -> Any:
    line = node.start_mark.line + 1
    lines[where] = line
    if len(where) > MAX_DEPTH:
        problems.add(file, line, f"nested more than {MAX_DEPTH} levels deep")
        return None
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in result:
                problems.add(file, key_node.start_mark.line + 1, f'key "{key}" stands here twice')
            result[key] = _plain(value_node, (*where, key), lines, file, problems)
            lines[(*where, key)] = key_node.start_mark.line + 1
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(n, (*where, i), lines, file, problems) for i, n in enumerate(node.value)]
    # An empty or `null` plain scalar is "nothing said"; quoted, it is the empty text.
    if node.tag == "tag:yaml.org,2002:null":
        return None
    return str(node.value)


def build(model: type[ModelT], document: Document, problems: Problems) -> ModelT | None:
    """The document as a model; None if it does not fit, with every misfit noted."""
    if not isinstance(document.data, dict):
        problems.add(document.path, 1, "expected a mapping at the top of the file")
        return None
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        for detail in error.errors():
            where = tuple(detail["loc"])
            problems.add(document.path, document.line(where), _explain(detail, where, model))
        return None


def _explain(detail: Any, where: Path_, model: type[BaseModel]) -> str:
    shown = ".".join(str(step) for step in where) or "the file"
    if detail["type"] == "extra_forbidden":
        known = _known_keys(model, where[:-1])
        return f'"{where[-1]}" is not a key here{suggestion(str(where[-1]), known)}'
    if detail["type"] == "missing":
        return f'"{shown}" is missing'
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] in {"literal_error", "enum"}:
        given = str(detail.get("input"))
        allowed = [part.strip("' ") for part in message.replace(" or ", ",").split(",")]
        allowed = [a.removeprefix("Input should be ").strip("' ") for a in allowed]
        return f'{shown}: "{given}" is not one of {", ".join(allowed)}{suggestion(given, allowed)}'
    return f"{shown}: {message}"


def _known_keys(model: type[BaseModel], where: Path_) -> list[str]:
    """Field names (and aliases) of the model that stands at `where`, as far as types tell."""
    current: Any = model
    for step in where:
        annotation = (
            current.model_fields[step].annotation
            if isinstance(step, str) and _is_model(current) and step in current.model_fields
            else current
        )
        current = next(_models_in(annotation), current)
    if not _is_model(current):
        return []
    names = list(current.model_fields)
    return names + [f.alias for f in current.model_fields.values() if f.alias]


def _is_model(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseModel)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if _is_model(annotation):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)
