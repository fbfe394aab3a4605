"""A workbook a Department, a workbook a facility: the tables of a site for people who work in a spreadsheet.

    data/tinh/<place>/so-lieu-<place>.xlsx     written every night
    data/cskcb/so-lieu-<facility>.xlsx         every night where facilities are few; else `datasach workbook`

They are made from the Parquet tables of the site and nothing else, so they say what the pages say, with the
same numbers hidden, on the night or any time later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from datasach.errors import DatasachError
from datasach.report import numbers
from datasach.report.cells import SEVERITIES
from datasach.report.counts import COUNTS
from datasach.report.downloads import COLUMNS, PARTS, TABLES, folder_of_part, read_table
from datasach.report.places import folder_of
from datasach.report.tasks import STATE_TITLES
from datasach.report.words import Words, load_words
from datasach.report.workbook import Cell, Column, Sheet, write_workbook
from datasach.spec.project import Project

FACILITY_BOOKS = 1_000
"""Facilities up to which every one gets its workbook every night: about 20 CPU-seconds."""
NIGHTLY_ROWS = 5_000
"""Rows of a sheet in a workbook of the night; `datasach workbook` writes them all."""
SHEET_ROWS = 1_000_000
"""A sheet holds 1,048,576."""
NIGHTS = 31
FACILITIES = "cskcb"
_ABOUT = (Column("Điều", 30), Column("Nội dung", 84), Column("English", 84))

PLACE_SHEETS = (
    ("Cơ sở", "facilities"), ("Chưa gửi", "silent"), ("Việc đang mở", "tasks"), ("Quy tắc vi phạm", "failing"),
    ("Cơ sở dữ liệu", "databases"), ("Theo đêm", "nights"), ("Cơ sở theo đêm", "evenings"),
    ("Cơ sở, đêm, loại", "kinds"), ("Hai kênh", "channels"), ("Hai kênh, trường", "channel_fields"),
)  # fmt: skip
FACILITY_SHEETS = (
    ("Việc đang mở", "tasks"), ("Quy tắc vi phạm", "failing"), ("Theo đêm", "evenings"),
    ("Đêm, loại dữ liệu", "kinds"), ("Cơ sở dữ liệu", "databases"), ("Hai kênh, trường", "channel_fields"),
)  # fmt: skip
NIGHTLY_TABLES = ("evenings", "kinds", "nights")
"""A row a night: workbooks show the last `NIGHTS` of them."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Words for the ids in tables, as people read them in Vietnamese."""

    words: dict[str, dict[str, str]]
    least: int
    small: int

    @staticmethod
    def of(project: Project, words: Words) -> Speech:
        kinds = {d.id: d.title.vi for d in project.databases.values()}
        outcomes = {name: one.word.vi for name, one in words.outcomes.items()}
        verdicts: dict[str, str] = {tone: title.vi for tone, title in words.verdicts.words.items()}
        return Speech(
            {
                "severity": {name: title.vi for name, (_, title) in SEVERITIES.items()},
                "verdict": verdicts,
                "task_state": {name: title.vi for name, title in STATE_TITLES.items()},
                "gate": {"released": "Công bố", "withheld": "Giữ lại"},
                "kind": kinds | {"khac": "Cơ sở dữ liệu nhạy cảm, gộp chung"},
                "outcome": outcomes,
            },
            words.verdicts.min_records,
            words.verdicts.small_cell,
        )

    def say(self, column: str, value: Any) -> Cell:
        if isinstance(value, bool):
            return "có" if value else "không"
        if column == "outcome" and isinstance(value, str):
            return ", ".join(self._outcome(part) for part in value.split(", "))
        known = self.words.get(COLUMNS[column].kind) or self.words.get(column)
        if known and isinstance(value, str):
            return known.get(value, value)
        return value  # type: ignore[no-any-return]

    def _outcome(self, said: str) -> str:
        name, _, times = said.partition(" ")
        return f"{times} {self.words['outcome'].get(name, name)}".strip()


# -- the workbooks of a night ----------------------------------------------------------------------


def write_workbooks(data: Path, project: Project, words: Words, night: str) -> int:
    """Workbooks of all Departments below a site's `data`, and of facilities where they are few; returns how many."""
    speech = Speech.of(project, words)
    places = sorted(p.name for p in (data / PARTS).glob("*") if p.is_dir())
    facilities = offered_to_facilities(read_table(data, "facilities").height)
    count = 0
    for place in places:
        whole = {name: read_table(data, name, place) for _, name in PLACE_SHEETS}
        name = _place_name(data, place)
        write_workbook(
            place_book(data, place), _place_sheets(whole, speech, night, place, name, NIGHTLY_ROWS)
        )
        count += 1
        if facilities:
            for unit, tables in _by_facility(whole).items():
                write_workbook(
                    facility_book(data, unit),
                    _facility_sheets(tables, speech, night, unit, NIGHTLY_ROWS),
                )
                count += 1
    return count


def offered_to_facilities(facilities: int) -> bool:
    """Does every facility get its workbook every night?"""
    return facilities <= FACILITY_BOOKS


def place_book(data: Path, place: str) -> Path:
    return folder_of_part(data, place) / f"so-lieu-{place}.xlsx"


def facility_book(data: Path, facility: str) -> Path:
    return data / FACILITIES / f"so-lieu-{folder_of(facility)}.xlsx"


def _by_facility(whole: dict[str, pl.DataFrame]) -> dict[str, dict[str, pl.DataFrame]]:
    """Facility → its rows of every table; only those that have any besides standing in the register."""
    names = ("facilities", *(name for _, name in FACILITY_SHEETS))
    parts = {
        name: whole[name].partition_by(_owner(name), as_dict=True, maintain_order=True) for name in names
    }  # fmt: skip
    spoken = {str(key[0]) for name in names[1:] for key in parts[name]}
    return {
        str(key[0]): {name: parts[name].get(key, whole[name].clear()) for name in names}
        for key in parts["facilities"]
        if str(key[0]) in spoken
    }


def _owner(table: str) -> str:
    return "whose" if table == "databases" else "facility"


# -- one workbook, on demand -----------------------------------------------------------------------


def write_one(
    project: Project, out: Path, night: str | None, place: str | None, facility: str | None, target: Path | None
) -> Path:  # fmt: skip
    """The whole workbook of a Department or of a facility, of the night asked for or the last; returns its path.

    Raises DatasachError if there is no such site, place or facility.
    """
    data, when = site_data(out, night)
    words = load_words(project.root)
    speech = Speech.of(project, words)
    if facility is not None:
        row = read_table(data, "facilities").filter(pl.col("facility") == facility)
        if row.is_empty():
            raise DatasachError(f"{facility}: no such facility or sender in the night of {when}")
        part = row["province"][0]
        whole = {
            name: read_table(data, name, part) for _, name in (*FACILITY_SHEETS, ("", "facilities"))
        }
        tables = {
            name: frame.filter(pl.col(_owner(name)) == facility) for name, frame in whole.items()
        }
        path = target or Path(facility_book(data, facility).name)
        write_workbook(path, _facility_sheets(tables, speech, when, facility, SHEET_ROWS))
        return path
    if place is None or not (data / PARTS / place).is_dir():
        raise DatasachError(f"{place}: nothing is known of this province in the night of {when}")
    whole = {name: read_table(data, name, place) for _, name in PLACE_SHEETS}
    path = target or Path(place_book(data, place).name)
    write_workbook(
        path, _place_sheets(whole, speech, when, place, _place_name(data, place), SHEET_ROWS)
    )
    return path


def site_data(out: Path, night: str | None = None) -> tuple[Path, str]:
    """(`data` of the newest site of a night, that night); the last night reported if none is asked for.

    Raises DatasachError if no such night was reported.
    """
    reports = out / "reports"
    sites = sorted(
        (path.name[:10], int(path.name.partition(".r")[2] or 1), path)
        for path in reports.glob("????-??-??*")
        if (path / "data/facilities.parquet").is_file()
    )
    found = [site for site in sites if night in (None, site[0])]
    if not found:
        asked = f"the night of {night} has not" if night else "no night has"
        raise DatasachError(f"{out}: {asked} been reported here yet")
    when, _, path = found[-1]
    return path / "data", when


# -- sheets ----------------------------------------------------------------------------------------


def _place_sheets(
    whole: dict[str, pl.DataFrame], speech: Speech, night: str, place: str, name: str, most: int
) -> list[Sheet]:  # fmt: skip
    tables = {**whole, "databases": whole["databases"].filter(pl.col("whose") == place)}
    facilities = whole["facilities"]
    facts = [
        _fact("Sổ của", "Workbook of", f"{name} ({place})", f"Department of Health, {place}"),
        *_sums(facilities),
        _fact(
            "Cơ sở gửi đêm nay / dự kiến", "Sent tonight / expected",
            *_both("{} / {}", facilities.filter((pl.col("nights_expected") > 0) & (pl.col("nights_silent") == 0)).height,
                   facilities.filter(pl.col("nights_expected") > 0).height),
        ),
    ]  # fmt: skip
    return _sheets(PLACE_SHEETS, tables, facts, speech, night, most)


def _facility_sheets(
    tables: dict[str, pl.DataFrame], speech: Speech, night: str, facility: str, most: int
) -> list[Sheet]:  # fmt: skip
    row = tables["facilities"]
    name = (row["name"][0] if row.height else None) or facility
    facts = [
        _fact("Sổ của", "Workbook of", f"{name} ({facility})", f"Facility {facility}"),
        *_sums(row),
    ]
    return _sheets(FACILITY_SHEETS, tables, facts, speech, night, most)


def _sums(facilities: pl.DataFrame) -> list[tuple[str, str, str]]:
    """Rows so far as one sum that can be checked by eye."""
    read, *fates = (int(facilities[name].sum()) for name in COUNTS)
    vi = " + ".join(
        f"{numbers.vi(n)} {COLUMNS[c].title.vi.lower()}"
        for n, c in zip(fates, COUNTS[1:], strict=True)
    )
    en = " + ".join(
        f"{numbers.en(n)} {COLUMNS[c].title.en.lower()}"
        for n, c in zip(fates, COUNTS[1:], strict=True)
    )
    return [
        (
            "Dòng đã gửi, cộng dồn",
            f"{numbers.vi(read)} đã đọc = {vi}",
            f"Rows so far: {numbers.en(read)} read = {en}",
        )
    ]


def _both(form: str, *values: int) -> tuple[str, str]:
    return form.format(*map(numbers.vi, values)), form.format(*map(numbers.en, values))


def _fact(vi: str, en: str, said: str, said_en: str) -> tuple[str, str, str]:
    return vi, said, f"{en}: {said_en}"


def _sheets(
    names: Sequence[tuple[str, str]], tables: dict[str, pl.DataFrame], facts: Iterable[tuple[str, str, str]],
    speech: Speech, night: str, most: int,
) -> list[Sheet]:  # fmt: skip
    shown = {
        name: _recent(tables[name]) if name in NIGHTLY_TABLES else tables[name] for _, name in names
    }
    about = Sheet(
        "Giới thiệu", _ABOUT, [*_about(facts, speech, night), *_contents(names, shown, most)]
    )
    return [about, *(_sheet(title, name, shown[name].head(most), speech) for title, name in names)]


def _recent(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of the last `NIGHTS` nights, newest first."""
    recent = frame["night"].unique().sort(descending=True).head(NIGHTS)
    order = [name for name in ("facility",) if name in frame.columns]
    return frame.filter(pl.col("night").is_in(recent.implode())).sort(
        "night", *order, descending=[True, *([False] * len(order))]
    )


def _about(
    facts: Iterable[tuple[str, str, str]], speech: Speech, night: str
) -> Iterator[tuple[str, str, str]]:
    yield from facts
    yield _fact("Đêm", "Night", numbers.day(night), night)
    yield (
        "Số liệu này là gì",
        "Tình trạng sau đêm ghi trên, của mọi dữ liệu đã nhận đến đêm đó. Một dòng cũ có thể đã đổi tình trạng"
        " (bị thay thế, được nhận lại).",
        "The state after the night named, of everything received up to it. A row of an older night may have"
        " changed its state since (superseded, taken after all).",
    )
    yield (
        "Mẫu số",
        "Đúng: phép kiểm đạt / đã kiểm (có trọng số). Đủ: thông tin ưu tiên có giá trị / cần có. Sạch: bản ghi không"
        " trùng, không mâu thuẫn / bản ghi. Sống: bản ghi đến đúng hạn / bản ghi có thời điểm. Tỷ lệ vi phạm: vi phạm /"
        " đã kiểm. Tỷ lệ của tỉnh là tổng tử số / tổng mẫu số, không phải trung bình các tỷ lệ.",
        "Correct: checks passed / made (weighted). Complete: priority fields filled / expected. Clean: records without"
        " duplicate or contradiction / records. Live: records in time / records with an event. Share failed: failed /"
        " tested. A province's share is a sum over a sum, never a mean of shares.",
    )
    yield (
        "Số bị ẩn",
        f"Không in tỷ lệ khi mẫu số dưới {speech.least}. Số bản ghi của cơ sở dữ liệu nhạy cảm dưới {speech.small} được ẩn,"
        " cùng các số mà từ đó có thể tính ra; ô trống và cột “Ẩn vì số nhỏ” ghi “có”.",
        f"No share is printed below a denominator of {speech.least}. Counts of sensitive databases below {speech.small} are"
        " hidden, with those from which they could be worked out; the cell is empty and “Hidden, small” says có (yes).",
    )
    yield (
        "Mã là chữ",
        "Mã cơ sở, mã tỉnh là chữ, giữ số 0 ở đầu. Không ô nào là công thức. Không có dữ liệu của người bệnh.",
        "Codes are text and keep their zeros. No cell is a formula. Nothing of a patient is here.",
    )


def _contents(
    names: Sequence[tuple[str, str]], shown: dict[str, pl.DataFrame], most: int
) -> Iterator[tuple[str, str, str]]:  # fmt: skip
    for title, name in names:
        rows, spec = shown[name].height, TABLES[name]
        cut = rows > most
        vi = f"{spec.title.vi}: {numbers.vi(rows)} dòng"
        en = f"{spec.title.en}: {numbers.en(rows)} rows"
        if cut:
            vi += f", ở đây {numbers.vi(most)} dòng đầu; đủ trong {name}.csv, hoặc `datasach workbook`"
            en += (
                f", the first {numbers.en(most)} here; all in {name}.csv, or by `datasach workbook`"
            )
        if name in NIGHTLY_TABLES:
            vi, en = f"{vi} ({NIGHTS} đêm gần nhất)", f"{en} (last {NIGHTS} nights)"
        yield (f"Trang “{title}”", vi, en)


def _sheet(title: str, table: str, frame: pl.DataFrame, speech: Speech) -> Sheet:
    return sheet_of(title, list(TABLES[table].columns), frame, speech, still=1)


def sheet_of(
    title: str, names: list[str], frame: pl.DataFrame, speech: Speech, still: int = 0
) -> Sheet:
    """Columns of a table by name, under their headings in both languages, ids said in words."""
    columns = [_heading(name) for name in names]
    rows = (
        [speech.say(n, v) for n, v in zip(names, row, strict=True)]
        for row in frame.select(names).iter_rows()
    )
    return Sheet(title, columns, rows, still)


def _heading(name: str) -> Column:
    one = COLUMNS[name]
    form: Any = (
        "share" if one.kind == "share" else "number" if one.kind in ("count", "number") else "text"
    )
    return Column(one.title.vi, one.width, one.title.en, form)


def _place_name(data: Path, place: str) -> str:
    found = read_table(data, "provinces").filter(pl.col("province") == place)["province_name"]
    return str(found[0]) if len(found) else place
