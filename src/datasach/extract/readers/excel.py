"""XLSX: the first sheet (or the declared one), every cell as text, first row as headings.

A code typed as a number has already lost its leading zeros when the sheet was saved; `standardise`
proposes them again where the code list or the person's other data prove it.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import fastexcel

from datasach.errors import UnreadableExtract
from datasach.extract.archives import check_workbook
from datasach.extract.readers import Incoming, check_width, distinct_headings, quoted
from datasach.spec.source import Options


def incoming(
    con: duckdb.DuckDBPyConnection, file: Path, options: Options, path: str, scratch: Path
) -> Incoming:
    """Raises UnreadableExtract XLSX_SYNTAX, XLSX_SHEET, XLSX_EMPTY, ARC_BOMB, ARC_MEMBERS, READ_TOO_WIDE."""
    check_workbook(file)
    try:
        # From bytes: the landed copy has no ending, by which the library would know the format.
        workbook = fastexcel.read_excel(file.read_bytes())
        names = workbook.sheet_names
        if options.sheet and options.sheet not in names:
            raise UnreadableExtract("XLSX_SHEET", "the declared sheet is not in the workbook")
        sheet = workbook.load_sheet(options.sheet or 0, header_row=None, dtypes="string").to_arrow()
    except fastexcel.FastExcelError as error:
        raise UnreadableExtract("XLSX_SYNTAX", type(error).__name__) from None
    if sheet.num_rows < 1 or sheet.num_columns < 1:
        raise UnreadableExtract("XLSX_EMPTY", "no rows")
    check_width(sheet.num_columns)
    first = [column[0].as_py() or "" for column in sheet.columns]
    headings = distinct_headings(first)
    table = sheet.slice(1).rename_columns(headings)
    con.register("xlsx_sheet", table)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE xlsx_rows AS SELECT row_number() OVER () + 1 AS _line, * FROM xlsx_sheet"
    )
    con.unregister("xlsx_sheet")
    columns = [quoted(h) for h in headings]
    # Sheets end in rows that were formatted but never filled.
    filled = f"coalesce({', '.join(columns)}) IS NOT NULL"
    return Incoming(
        sql=f"SELECT _line, {', '.join(columns)} FROM xlsx_rows WHERE {filled}",
        headings=headings,
        notes={"XLSX"},
    )
