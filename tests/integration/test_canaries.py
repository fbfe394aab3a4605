"""Values planted in what was sent are nowhere but in the restricted zone and the sender's own receipts.

Planted where they belong, where they do not (a time, a sex, a vaccine), in files that are refused, and
in the names of files and senders. No such person exists.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from datasach.errors import AccessRefused, SpecError
from datasach.pipeline.handing_over import hand_over
from datasach.protect.desk import Asked
from datasach.protect.leaks import Found, report_text, scan, scan_warehouse
from datasach.protect.subject import erase_subject, export_subject
from datasach.spec.access import load_access
from datasach.spec.project import Project
from datasach.store.tombstones import buried
from tests.conftest import ROOT
from tests.envelopes import envelope, services_xml, simple_visit, visit_xml
from tests.unit.protect.conftest import make_vault

NIGHT = date(2026, 3, 2)
NAME, NUMBER, PHONE, CARD = "Zwăng Thị Kanaria", "079185918273", "0987918273", "DN4797918273645"
ADDRESS = "918 Ngõ Kanarina Phường Zet"
WHO = {
    "HO_TEN": NAME.upper(), "SO_CCCD": NUMBER, "DIEN_THOAI": PHONE, "MA_THE_BHYT": CARD, "DIA_CHI": ADDRESS,
    "GIOI_TINH": "2",
}  # fmt: skip


def send(folder: Path) -> None:
    def put(sender: str, name: str, content: str) -> None:
        path = folder / "inbox" / NIGHT.isoformat() / sender / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")

    misplaced = {
        **WHO,
        "MA_LK": "LK002",
        "NGAY_VAO": f"không rõ {NAME} {NUMBER}",
        "MA_LOAI_KCB": NUMBER,
    }
    told = services_xml(
        {"MA_LK": "LK003", "TEN_DICH_VU": f"Khám cho {NAME} {PHONE}", "MA_DICH_VU": NUMBER}
    )
    put("79001", "DPDL_1.xml", envelope([simple_visit(**WHO)]))
    put("79001", "DPDL_2.xml", envelope([simple_visit(**misplaced)]))
    put(
        "79001",
        "DPDL_3.xml",
        envelope([[("XML1", visit_xml(**{**WHO, "MA_LK": "LK003"})), ("XML3", told)]]),
    )
    put("79001", f"{NAME}_{NUMBER}.xml", envelope([simple_visit(**{**WHO, "MA_LK": "LK004"})]))
    put("79001", "DPDL_5.xml", envelope([simple_visit(**{**WHO, "MA_LK": "LK005"})])[:-60])
    heading = "ma_mui_tiem;ho_ten;so_cccd;ngay_sinh;gioi_tinh;dien_thoai;ma_vac_xin;ngay_tiem;ma_cskcb;ten_vac_xin"
    row = f"M1;{NAME};{NUMBER};{NAME};{NUMBER};{PHONE};{NAME};{PHONE};79001;{NAME}"
    put("79001", "tiemchung_1.csv", f'{heading}\n{row}\n"broken {NAME}')
    put("79001", "ngang.csv", f"{NUMBER};{NAME}\n1;2\n")
    put(NAME, "a.csv", f"x;{NUMBER}\n{NAME};1\n")
    (folder / "canaries.txt").write_text("\n".join([NAME, NUMBER, PHONE, CARD, ADDRESS]), "utf-8")


def datasach(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "datasach", *map(str, words)]
    return subprocess.run(command, capture_output=True, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night with planted values, run by the command; what it printed lies in `said.log`."""
    folder = tmp_path_factory.mktemp("canaries")
    send(folder)
    done = datasach(
        "run", "--inbox", folder / "inbox", "--night", NIGHT.isoformat(), "--out", folder / "out"
    )
    assert done.returncode in (0, 20), done.stderr.decode()
    (folder / "said.log").write_bytes(done.stdout + done.stderr)
    return folder


@pytest.fixture(scope="module")
def vault(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_vault(tmp_path_factory.mktemp("vaults") / "v", load_access(project))


def searched(sent: Path) -> Found:
    return scan_warehouse(sent / "out", sent / "canaries.txt", patterns=False)


def test_they_are_in_the_restricted_zone_and_the_search_would_find_them(sent: Path) -> None:
    found = scan(
        [sent / "out/published", sent / "out/state/standard"], sent / "canaries.txt", False
    )
    assert found.canaries


def test_they_are_in_no_report_no_log_and_no_other_file_of_the_warehouse(sent: Path) -> None:
    found = searched(sent)
    assert found.files > 30 and found.canaries == {} and found.unread == {}, report_text(found)
    assert scan([sent / "said.log"], sent / "canaries.txt", False).canaries == {}


def test_they_are_in_nobody_elses_receipt(sent: Path) -> None:
    """The sender whose folder bore a name gets a number for it."""
    receipts = sent / "out/receipts" / NIGHT.isoformat()
    found = scan([p for p in receipts.iterdir() if p.name != "79001"], sent / "canaries.txt", False)
    assert found.files > 0 and found.canaries == {}, report_text(found)


def test_they_are_in_no_export_even_where_they_did_not_belong(
    project: Project, sent: Path, vault: Path
) -> None:
    done = hand_over(
        project, sent / "out", Asked(vault, "data_quality", "general", "an.national"), None
    )
    hand_over(project, sent / "out", Asked(vault, "statistics", "open", "an.national"), None)
    assert done.rows > 0 and done.masked >= 2, "the name and the number in a service's own fields"
    assert searched(sent).canaries == {}


def test_a_bug_shows_its_place_and_not_its_values(sent: Path, tmp_path: Path) -> None:
    """A library that chokes on a value quotes it; Prefect would keep that for ever."""
    script = tmp_path / "bug.py"
    script.write_text(
        "import logging, duckdb\nfrom datasach import cli\nfrom datasach.pipeline import catalogue\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        f"value = open('{sent}/canaries.txt').read()\n"
        "def choke(*_): duckdb.execute('SELECT CAST(? AS INTEGER)', [value])\n"
        "catalogue.publish_catalogue = choke\n"
        f"cli.main(['catalogue', '--project', '{ROOT}', '--out', '{tmp_path}/c'])\n",
        "utf-8",
    )
    done = subprocess.run([sys.executable, script], capture_output=True, check=False)
    (tmp_path / "said.log").write_bytes(done.stdout + done.stderr)
    assert (
        done.returncode == 1 and b"ConversionException" in done.stderr and b"bug.py" in done.stderr
    )
    assert scan([tmp_path / "said.log"], sent / "canaries.txt", False).canaries == {}


def request(folder: Path, kind: str, number: str = NUMBER) -> Path:
    path = folder / f"{kind}.yaml"
    path.write_text(
        f'request: "YC-1-{kind}"\nkind: {kind}\nreceived_on: "2026-03-06"\ncitizen_id: "{number}"\nproved_by: "VNeID"\n',
        "utf-8",
    )
    return path


def test_a_person_gets_his_data_with_a_receipt_that_holds_none(
    project: Project, sent: Path, vault: Path, tmp_path: Path
) -> None:
    asked = Asked(vault, "subject_request", "restricted", "an.dpo")
    told = export_subject(
        project, sent / "out", asked, request(tmp_path, "export"), tmp_path / "to"
    )
    data = (tmp_path / "to/YC-1-export/data.json").read_text("utf-8")
    assert NUMBER in data and ADDRESS in data and "Họ và tên" in data
    receipt = (tmp_path / "to/YC-1-export/receipt.json").read_text("utf-8")
    assert '"acknowledge_by": "2026-03-10"' in receipt, "Friday plus two working days"
    (tmp_path / "told").write_text(told + receipt, "utf-8")
    assert scan([tmp_path / "told"], sent / "canaries.txt", False).canaries == {}
    assert searched(sent).canaries == {}, "nor does the access log hold him"


def test_the_general_zone_forgets_and_goes_on_forgetting(
    project: Project, sent: Path, vault: Path, tmp_path: Path
) -> None:
    out = sent / "out"
    asked = Asked(vault, "subject_request", "restricted", "an.dpo")
    before = hand_over(
        project, out, Asked(vault, "data_quality", "general", "an.national"), tmp_path / "x"
    )
    place = out / "zones/general/statistics/all"
    hand_over(project, out, Asked(vault, "statistics", "general", "an.analyst"), None)
    listed = erase_subject(project, out, asked, request(tmp_path, "erase"), do=False)
    assert "nothing changed" in listed and not buried(out, "person")
    assert rows(place) > 0
    told = erase_subject(project, out, asked, request(tmp_path, "erase"), do=True)
    assert rows(place) == 0 and "receipt" in told and "exports left the house" in told
    stone = buried(out, "person")[0]
    assert NUMBER not in str(stone)
    again = hand_over(
        project, out, Asked(vault, "data_quality", "general", "an.national"), tmp_path / "y"
    )
    assert again.rows < before.rows and rows(again.folder) == 0
    assert (out / "published/latest/kcb_emr/visit.parquet").exists(), (
        "the law keeps medical records"
    )


def rows(folder: Path) -> int:
    """Rows about people below a folder of exports."""
    import polars as pl

    frames = [pl.read_parquet(path) for path in folder.rglob("*.parquet")]
    return sum(frame.drop_nulls("pid").height for frame in frames if "pid" in frame.columns)


def test_a_request_about_nobody_is_refused_and_logged_without_its_number(
    project: Project, sent: Path, vault: Path, tmp_path: Path
) -> None:
    asked = Asked(vault, "subject_request", "restricted", "an.dpo")
    with pytest.raises(AccessRefused, match="NOBODY") as caught:
        export_subject(
            project,
            sent / "out",
            asked,
            request(tmp_path, "export", "001099000001"),
            tmp_path / "to",
        )
    log = (sent / "out/access/log.jsonl").read_text("utf-8")
    assert '"NOBODY"' in log and "001099000001" not in log + str(caught.value)


def test_a_wrong_request_is_told_by_its_line_without_its_number(
    project: Project, sent: Path, vault: Path, tmp_path: Path
) -> None:
    asked = Asked(vault, "subject_request", "restricted", "an.dpo")
    path = request(tmp_path, "export", f"{NUMBER}9")
    with pytest.raises(SpecError, match=r"export\.yaml:4") as caught:
        export_subject(project, sent / "out", asked, path, tmp_path / "to")
    assert NUMBER not in str(caught.value)


@pytest.mark.long
def test_prefect_keeps_none_of_them_even_when_a_step_fails(
    project: Project, sent: Path, tmp_path: Path
) -> None:
    import os

    out = tmp_path / "flow"
    command = [
        sys.executable, "-m", "datasach", "flow", "--inbox", sent / "inbox", "--night", NIGHT.isoformat(), "--out", out
    ]  # fmt: skip
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PREFECT_LOGGING_LEVEL": "DEBUG"},
    )
    (tmp_path / "said.log").write_bytes(done.stdout + done.stderr)
    assert (out / "state/prefect/prefect.db").exists()
    found = scan_warehouse(out, sent / "canaries.txt", patterns=False)
    assert found.canaries == {} and found.files > 30, report_text(found)
    assert scan([tmp_path / "said.log"], sent / "canaries.txt", False).canaries == {}
