"""PostgreSQL through DuckDB's extension: one query, read-only, every column as text.

The file in the inbox only says that the source is due tonight; its content is ignored. Where the
server is stands in the environment variable the source names: the connection string never enters a
declaration, a log or an error.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from datasach import settings
from datasach.errors import UnreadableExtract
from datasach.extract.readers import Incoming, literal, quoted
from datasach.spec.source import Options


def incoming(
    con: duckdb.DuckDBPyConnection, file: Path, options: Options, path: str, scratch: Path
) -> Incoming:
    """Raises UnreadableExtract PG_NOT_DECLARED, PG_NO_EXTENSION, PG_UNREACHABLE, PG_QUERY."""
    connection = settings.secret(options.connection)
    if not options.query or not connection:
        raise UnreadableExtract(
            "PG_NOT_DECLARED", "query, or the variable with the connection, is not set"
        )
    try:
        load_extension(con)
    except (duckdb.Error, ImportError):
        raise UnreadableExtract("PG_NO_EXTENSION", "duckdb-extension-postgres-scanner") from None
    try:
        con.execute(f"ATTACH OR REPLACE {literal(connection)} AS pg (TYPE postgres, READ_ONLY)")
    except duckdb.Error:
        raise UnreadableExtract("PG_UNREACHABLE", "the server did not answer") from None
    try:
        con.execute(
            "CREATE OR REPLACE TEMP TABLE pg_rows AS SELECT * FROM"
            f" postgres_query('pg', {literal(options.query)})"
        )
    except duckdb.Error as error:
        raise UnreadableExtract("PG_QUERY", type(error).__name__) from None
    finally:
        con.execute("DETACH pg")
    headings = [str(row[0]) for row in con.execute("DESCRIBE pg_rows").fetchall()]
    columns = "".join(f", CAST({quoted(h)} AS VARCHAR) AS {quoted(h)}" for h in headings)
    return Incoming(sql=f"SELECT rowid + 1 AS _line{columns} FROM pg_rows", headings=headings)


def load_extension(con: duckdb.DuckDBPyConnection) -> None:
    """Load the extension from its wheel, which must be of DuckDB's own version: nothing is fetched."""
    import duckdb_extension_postgres_scanner as wheel  # type: ignore[import-untyped]

    folder = Path(wheel.__file__).parent
    binary = next(folder.rglob("*.duckdb_extension"))
    con.execute(f"LOAD {literal(str(binary))}")
