"""A PostgreSQL source, against a real server where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from datasach.errors import UnreadableExtract
from datasach.extract.readers import readers
from datasach.spec.source import Options

BINARIES = (
    sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if Path("/usr/lib/postgresql").is_dir()
    else []
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Connection string of a throwaway server that listens on a socket only."""
    if not BINARIES:
        pytest.skip(
            "no PostgreSQL server is installed here (looked for /usr/lib/postgresql/*/bin/initdb)"
        )
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL refuses to run as root and setpriv is not here to change the user")
    folder = Path("/tmp") / f"datasach-pg-{os.getpid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    user = (
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    )
    run = lambda *words: subprocess.run([*user, *words], check=True, capture_output=True)  # noqa: E731
    bin_folder = BINARIES[-1].parent
    try:
        run(
            str(bin_folder / "initdb"),
            "-D",
            str(folder / "data"),
            "-U",
            "reader",
            "-A",
            "trust",
            "--no-sync",
        )
        run(
            str(bin_folder / "pg_ctl"), "-D", str(folder / "data"), "-w", "-l", str(folder / "log"), "-o",
            f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off", "start",
        )  # fmt: skip
        run(
            str(bin_folder / "psql"), "-h", str(folder), "-U", "reader", "-d", "postgres", "-c",
            "CREATE TABLE tiem (ma_mui_tiem text, ho_ten text, ngay_tiem date, lieu numeric(10,2));"
            "INSERT INTO tiem VALUES ('01', 'Lê Thị An', '2026-03-02', 0.50), ('02', NULL, NULL, NULL)",
        )  # fmt: skip
        yield f"host={folder} user=reader dbname=postgres"
    finally:
        subprocess.run(
            [
                *user,
                str(bin_folder / "pg_ctl"),
                "-D",
                str(folder / "data"),
                "-m",
                "immediate",
                "stop",
            ],
            check=False,
            capture_output=True,
        )
        shutil.rmtree(folder, ignore_errors=True)


OPTIONS = Options(query="SELECT * FROM tiem ORDER BY ma_mui_tiem", connection="DATASACH_TEST_PG")


def test_rows_come_as_text_in_the_querys_order(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATASACH_TEST_PG", server)
    with duckdb.connect() as con:
        incoming = readers()["postgres"](con, tmp_path / "due", OPTIONS, "$", tmp_path)
        rows = con.sql(incoming.sql).fetchall()
    assert incoming.headings == ["ma_mui_tiem", "ho_ten", "ngay_tiem", "lieu"]
    assert rows == [(1, "01", "Lê Thị An", "2026-03-02", "0.50"), (2, "02", None, None, None)]


def test_what_goes_wrong_names_no_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATASACH_TEST_PG", "host=/nowhere-secret user=secret dbname=secret")
    with duckdb.connect() as con, pytest.raises(UnreadableExtract) as refused:
        readers()["postgres"](con, tmp_path / "due", OPTIONS, "$", tmp_path)
    assert refused.value.code == "PG_UNREACHABLE" and "secret" not in str(refused.value)


def test_a_source_whose_variable_is_not_set_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATASACH_TEST_PG", raising=False)
    with duckdb.connect() as con, pytest.raises(UnreadableExtract) as refused:
        readers()["postgres"](con, tmp_path / "due", OPTIONS, "$", tmp_path)
    assert refused.value.code == "PG_NOT_DECLARED"
