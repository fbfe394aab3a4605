"""Who may import whom: the house's one-directional law, read from the syntax trees."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "src/datasach"
ROOMS = {
    "extract", "standardise", "reconcile", "link", "validate", "publish", "report", "protect", "keep"
}  # fmt: skip
SHARED = {"spec", "vn", "store", "signing", "errors", "settings", "log", "__version__"}
MAY_IMPORT = {
    **{room: SHARED | {room} for room in ROOMS},
    "vn": {"vn"},
    "spec": {"spec", "errors"},
    "store": {"store", "spec", "errors", "settings"},
    "signing": {"signing", "spec", "store", "errors", "settings", "__version__"},
    "synth": {"synth"},
    "pipeline": ROOMS | SHARED | {"pipeline", "synth", "runners"},
    "runners": {"runners", "pipeline", "spec", "store", "errors", "log", "settings", "__version__"},
}
ONLY_IN = {
    "signxml": {"signing/verify.py"},
    "prefect": {"runners/prefect.py"},
    "great_expectations": {"validate/gx.py"},
    "recordlinkage": {"link/ecm.py"},
    "pandas": {"validate/gx.py"},
}


def imports(path: Path) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return found


def type_checking_lines(path: Path) -> set[int]:
    """Lines inside `if TYPE_CHECKING:`: names for the reader, not imports."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def test_rooms_do_not_know_each_other() -> None:
    broken = []
    for path in sorted(ENGINE.rglob("*.py")):
        room = path.relative_to(ENGINE).parts[0]
        if room not in MAY_IMPORT:
            continue
        skipped = type_checking_lines(path)
        for name, line in imports(path):
            if not name.startswith("datasach.") or line in skipped:
                continue
            other = name.split(".")[1]
            if other not in MAY_IMPORT[room]:
                broken.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert broken == []


def test_heavy_libraries_live_in_one_module_each() -> None:
    broken = []
    for path in sorted(ENGINE.rglob("*.py")):
        here = str(path.relative_to(ENGINE))
        for name, line in imports(path):
            for library, homes in ONLY_IN.items():
                if name.split(".")[0] == library and here not in homes:
                    broken.append(f"{here}:{line} imports {library}")
    assert broken == []


def test_flows_import_only_prefect_and_the_runner() -> None:
    allowed = ("prefect", "click", "datasach.runners.prefect", "datasach.settings")
    for path in sorted((ROOT / "flows").glob("*.py")):
        assert all(name.startswith(allowed) for name, _ in imports(path)), path.name


def test_only_settings_reads_the_environment_and_the_clock() -> None:
    broken = []
    for path in sorted(ENGINE.rglob("*.py")):
        here = str(path.relative_to(ENGINE))
        text = path.read_text("utf-8")
        if here in ("settings.py", "validate/gx.py"):
            continue
        broken += [
            f"{here}: {word}"
            for word in ("os.environ", "datetime.now(", "date.today(")
            if word in text
        ]
    assert broken == []


def test_declaring_folders_are_no_packages() -> None:
    for folder in ("datasets", "rules", "reports", "flows", "notebooks"):
        assert not list((ROOT / folder).rglob("__init__.py"))
