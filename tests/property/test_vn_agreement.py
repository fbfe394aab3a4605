"""For every fact of the country: the column expression gives what the scalar reference gives."""

import unicodedata

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from datasach.vn import citizen_id, codes, dates, icd10, identifiers, insurance_card, names, phones
from datasach.vn.legacy import TCVN3, VNI
from datasach.vn.syllables import LETTERS
from datasach.vn.text import fold, fold_expr, repair, repair_column

settings.register_profile("datasach", deadline=None, derandomize=True, max_examples=150)
settings.load_profile("datasach")

SYLLABLES = [
    "nguyễn",
    "trần",
    "hoà",
    "hòa",
    "thuý",
    "khoẻ",
    "quý",
    "toàn",
    "đặng",
    "H'nga",
    "niê",
    "a",
]
NOTES = [
    "BN",
    "CB",
    "(TS)",
    "-TS",
    "1",
    "ÔNG",
    "BÀ",
    "TE",
    "TEST",
    "con bà",
    "bé trai",
    "VÔ DANH",
    ".",
]
OLD_TO_NEW = {"0123": "083", "0168": "038"}

words = st.sampled_from(SYLLABLES + NOTES)
case = st.sampled_from([str, str.upper, str.title])
form = st.sampled_from(["NFC", "NFD"])
people = st.builds(
    lambda words, blank, case, form: unicodedata.normalize(form, case(blank.join(words))),
    st.lists(words, max_size=5),
    st.sampled_from([" ", "  ", "\u00a0"]),
    case,
    form,
)
messy = st.text(
    alphabet=st.sampled_from(
        LETTERS + "abcdhnguyENG 12?'’-().,;\t\u00a0\u00ad\u200b\ufffdÐðƉøïëöüñçß" + "".join(TCVN3)
    ),
    max_size=14,
)
garbled = st.builds(
    lambda text, table: "".join(table.get(char, char) for char in text),
    people,
    st.sampled_from([{letter: raw for raw, letter in table.items()} for table in (TCVN3, VNI)]),
)
misread = people.map(lambda text: text.encode().decode("latin-1"))
texts = st.lists(st.none() | people | messy | garbled | misread, min_size=1, max_size=8)


def column(values, expression, *, name="sent"):
    frame = pl.DataFrame({name: values}, schema={name: pl.String})
    return frame.select(expression).to_series().to_list()


def scalar(values, function):
    return [None if value is None else function(value) for value in values]


@given(texts)
def test_repair(values):
    got = repair_column(pl.Series(values, dtype=pl.String))
    expected = [(None, ()) if value is None else repair(value) for value in values]
    assert got["value"].to_list() == [value for value, _ in expected]
    assert [tuple(reasons) for reasons in got["reasons"]] == [reasons for _, reasons in expected]


@given(people | messy | garbled | misread)
def test_repairing_twice_is_repairing_once(text):
    once, _ = repair(text)
    twice, reasons = repair(once)
    assert twice == once
    assert set(reasons) <= {"question_marks"}


@given(texts)
def test_fold(values):
    assert column(values, fold_expr(pl.col("sent"))) == scalar(values, fold)


@given(texts)
def test_names(values):
    got = names.parse_column(pl.Series(values, dtype=pl.String))
    for value, row in zip(values, got.iter_rows(), strict=True):
        if value is None:
            assert row == (None,) * 5
            continue
        name = names.parse(value)
        assert row == (*name[:4], list(name.reasons))


@given(people | messy | garbled)
def test_a_canonical_name_stays_canonical(text):
    once = names.parse(text).full_name
    if once is not None:
        again = names.parse(once).full_name
        assert again is None or names.parse(again).full_name == again


digits = st.text(alphabet="0123456789", min_size=1, max_size=15)
two = st.integers(0, 99).map(str) | st.integers(0, 99).map("{:02}".format)
year = st.integers(0, 9999).map("{:04}".format) | st.integers(1930, 2030).map(str) | two
standard = st.builds(
    lambda day, clock: day.strftime("%Y%m%d") + clock,
    st.dates(),
    st.sampled_from(["", "0000", "0815", "2400", "0860", "081559", "081560", "2359", "00", "9"]),
)
separated = st.builds(
    lambda parts, sign, clock: sign.join(parts) + clock,
    st.tuples(two, two, year)
    | st.tuples(year, two, two)
    | st.tuples(two, year)
    | st.tuples(year, two),
    st.sampled_from(["/", "-", "."]),
    st.sampled_from(
        ["", " 08:15", "T08:15", "T08:15:59", " 24:00", "T08:15:30.5+07:00", "T08:15Z", " "]
    ),
)
unknown_parts = st.builds(
    "{}{}{}0000".format, year, st.sampled_from(["00", "07", "13"]), st.just("00")
)
date_texts = st.lists(
    st.none() | digits | standard | separated | unknown_parts | year, min_size=1, max_size=12
)
orders = st.sampled_from(["dmy", "mdy"])


@given(date_texts, orders)
def test_dates_and_times(values, order):
    assert column(values, dates.date_expr("sent", order)) == scalar(
        values, lambda text: dates.parse_date(text, order)
    )
    assert column(values, dates.datetime_expr("sent", order)) == scalar(
        values, lambda text: dates.parse_datetime(text, order)
    )


@given(date_texts, orders)
def test_birth_dates(values, order):
    births = [
        dates.NO_BIRTH if value is None else dates.parse_birth(value, order) for value in values
    ]
    assert column(values, dates.birth_on("sent", order)) == [birth.on for birth in births]
    assert column(values, dates.birth_year("sent", order)) == [birth.year for birth in births]
    assert column(values, dates.birth_precision("sent", order)) == [
        birth.precision for birth in births
    ]


province = st.sampled_from(["079", "001", "096", "099"])
ids = st.builds(
    lambda p, g, yy, tail, cut: f"{p}{g}{yy:02}{tail:06}"[cut:],
    province,
    st.integers(0, 9),
    st.integers(0, 99),
    st.integers(0, 999_999),
    st.integers(0, 3),
)
identifier_texts = (
    ids
    | digits
    | st.sampled_from(
        [
            "B1234567",
            "b 123.456-78",
            "000000000000",
            "123456789",
            "KHÔNG CÓ",
            "079000000000",
            "",
            " ",
            "12345x",
        ]
    )
)


@given(
    st.lists(
        st.tuples(
            st.none() | identifier_texts,
            st.sampled_from([None, "1", "2", "3"]),
            st.none() | st.integers(1900, 2099),
            st.none() | ids.map(lambda number: "GD479" + number),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_identifiers(rows):
    # Half of the rows get a birth year or a card that agrees, or agreement would never be tested.
    agreeing = []
    for number, (text, sex, born, card) in enumerate(rows):
        read = citizen_id.parse((text or "").zfill(12))
        if read is not None and number % 2:
            sex, born = read.sex, read.birth_year
        if text is not None and number % 3 == 0:
            card = f"GD479{text}"
        agreeing.append((text, sex, born, card))
    frame = pl.DataFrame(
        agreeing,
        schema={"id": pl.String, "sex": pl.String, "born": pl.Int32, "card": pl.String},
        orient="row",
    )
    got = frame.select(
        identifiers.value_expr("id"),
        identifiers.kind_expr("id", "sex", "born", "card"),
        identifiers.citizen_id_expr("id"),
        proposal=identifiers.proposal_expr("id", "sex", "born"),
    )
    for (text, *known), (value, kind, number, proposal) in zip(
        agreeing, got.iter_rows(), strict=True
    ):
        expected = None if text is None else identifiers.classify(text, *known)
        if expected is None or expected.value == "":
            assert (value, kind, number) == (None, None, None)
            continue
        assert (value, kind) == (expected.value, expected.kind)
        assert number == (value if kind == "citizen_id" else None)
        if kind == "leading_zero_lost":
            assert proposal == expected.proposal


@given(st.lists(st.none() | ids | digits, min_size=1))
def test_citizen_ids(values):
    read = [None if value is None else citizen_id.parse(value) for value in values]
    number = pl.col("sent")
    assert column(values, citizen_id.birth_year(number)) == [got and got.birth_year for got in read]
    assert column(values, citizen_id.sex(number)) == [got and got.sex for got in read]
    assert column(values, citizen_id.province(number)) == [got and got.province for got in read]


cards = st.lists(
    st.sampled_from(
        ["", "GD4797912345678", "gd 4 79 7912345678", "7912345678", "079203012345", "GD9", " "]
    ),
    min_size=1,
    max_size=3,
).map(";".join)


@given(st.lists(st.none() | cards | digits, min_size=1))
def test_insurance_cards(values):
    normal = column(values, insurance_card.cards_expr("sent"))
    assert normal == [
        None if value is None or not insurance_card.normalise_list(value).strip(";")
        else insurance_card.normalise_list(value)
        for value in values
    ]  # fmt: skip
    first = column(normal, insurance_card.first_card(pl.col("sent")))
    read = [None if card is None else insurance_card.parse(card) for card in first]
    card = pl.col("sent")
    for expression, field in (
        (insurance_card.kind, "kind"),
        (insurance_card.object_code, "object_code"),
        (insurance_card.benefit, "benefit"),
        (insurance_card.province, "province"),
        (insurance_card.insurance_number, "number"),
    ):
        assert column(first, expression(card)) == [got and getattr(got, field) for got in read]


phone_texts = st.builds(
    lambda prefix, number, noise: noise.join(prefix + number),
    st.sampled_from(["", "0", "+84", "84", "0084", "+840", "02", "0123", "0168", "0199", "840"]),
    st.text(alphabet="0123456789", min_size=6, max_size=10),
    st.sampled_from(["", "", "", " ", ".", "-"]),
)


@given(st.lists(st.none() | phone_texts | digits | st.just("0912345678; 0987654321"), min_size=1))
def test_phones(values):
    assert column(values, phones.phone_expr("sent", OLD_TO_NEW)) == scalar(
        values, lambda text: phones.normalise(text, OLD_TO_NEW)
    )


@given(
    st.lists(
        st.none()
        | st.sampled_from(["Nam", "NỮ", "nu", "F", "male", "1", "2.0", "03", "0", "", "x"])
    )
)
def test_sexes(values):
    assert column(values, codes.sex_expr("sent")) == scalar(values, codes.sex)


@given(
    st.lists(
        st.none() | st.sampled_from(["1", "01", "2.0", "1,3", "'01", " 2", "b", "", "9", "1.30"])
    ),
    st.sets(st.sampled_from(["1", "01", "2", "1.3", "B", "02"])),
)
def test_codes(values, known):
    expected = scalar(values, lambda text: codes.repair_code(text, known)[0] or None)
    assert column(values, codes.code_expr("sent", known)) == expected


@given(
    st.lists(st.none() | st.text(alphabet="AaIJ0123.;,†*+- ", max_size=9) | st.just("a170+;G01*"))
)
def test_icd_codes(values):
    read = [None if value is None else icd10.parse(value) for value in values]
    assert column(values, icd10.code_expr("sent")) == [got and got.code for got in read]
    assert column(values, icd10.mark_expr("sent")) == [got and got.mark for got in read]
    assert column(values, icd10.list_expr("sent")) == scalar(values, icd10.normalise_list)
