"""A log line says what happened and where, and of whom nothing."""

from __future__ import annotations

import logging

import duckdb
import pytest

from datasach.errors import WarehouseDamaged
from datasach.log import Masked, Masking, mask, masked_errors, masked_traceback

NAME, NUMBER, CARD, PHONE = "Zwăng Thị Kanaria", "079085918273", "DN4797918273645", "0987918273"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"no such person {NUMBER}", "no such person ‹…273›"),
        (f"card {CARD}, phone 098 791 8273", "card ‹…645›, phone ‹…273›"),
        (f"held: {NAME}", "held: ‹…› ‹…› ‹…›"),
        ("held: NGUYEN VAN BINH", "held: ‹…› ‹…› ‹…›"),
        (f"Could not convert string '{NAME}' to INT32", "Could not convert string ‹…› to INT32"),
        ("field 'ho_ten' of kcb_emr.visit", "field 'ho_ten' of kcb_emr.visit"),
        ("night 2026-03-02, file ab12cd34ef56ab78, row 12345678", "night 2026-03-02, file ab12cd34ef56ab78, row 12345678"),
        ("run 20260302T101010-abc123", "run 20260302T101010-abc123"),
    ],
)  # fmt: skip
def test_values_are_masked_and_places_are_not(text: str, told: str) -> None:
    assert mask(text) == told


def test_a_log_record_is_masked_with_its_arguments_and_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("masked")
    logger.setLevel(logging.DEBUG)
    masking = Masking()
    logger.addFilter(masking)
    try:
        try:
            raise ValueError(f"bad value '{NAME}' {NUMBER}")
        except ValueError:
            logger.debug("reading %s of %s", PHONE, NAME, exc_info=True)
    finally:
        logger.removeFilter(masking)
    text = caplog.text
    assert "reading" in text and "ValueError" in text and "test_log.py" in text
    for value in (NAME, NUMBER, PHONE, "Kanaria"):
        assert value not in text


def test_what_a_library_quotes_goes_no_further() -> None:
    with pytest.raises(Masked, match="ConversionException") as caught, masked_errors():
        duckdb.execute("SELECT CAST(? AS INTEGER)", [f"{NAME} {NUMBER}"])
    told = masked_traceback(caught.value)
    assert NAME not in told and NUMBER not in told and "Kanaria" not in told
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_our_own_errors_pass_as_they_are() -> None:
    with pytest.raises(WarehouseDamaged, match="manifest"), masked_errors():
        raise WarehouseDamaged("the manifest is missing")
