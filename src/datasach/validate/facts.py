"""What other rooms wrote down about the night, as rows a rule can ask: deliveries, units, links, runs …

A fact is a row with `facility` (whom it is about, may be NULL), `channel` or `database` where it belongs to
one, and the columns named here. It is read from tables that exist when rules run; nothing is measured
twice. Facts are of all nights the warehouse holds, as the current records are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from datasach.spec.project import Project
from datasach.store.warehouse import sql_name

VISITS = (("coordination", "kcb_emr.visit"), ("social_insurance", "bhyt_claims.claim"))
LIKELY_HOURS = "07 Asia/Ho_Chi_Minh"
"""Times of the ledger are UTC; Viet Nam is seven hours ahead all year."""


@dataclass(frozen=True, slots=True)
class Facts:
    """`sql` gives `facility`, `channel` (NULL: of no channel), `database` (NULL: of none) and `columns`."""

    columns: dict[str, str]
    sql: Callable[[Project], str]


def _constant(sql: str) -> Callable[[Project], str]:
    return lambda _: sql


def _current(table: str) -> str:
    return f"current.{sql_name(table)}"


NO_CHANNEL = "NULL::VARCHAR AS channel, NULL::VARCHAR AS database"

# -- files, units, rows ------------------------------------------------------------------------------

DELIVERIES = Facts(
    {
        "night": "DATE", "sender": "VARCHAR", "source": "VARCHAR", "state": "VARCHAR", "code": "VARCHAR",
        "notes": "VARCHAR", "signature": "VARCHAR", "vintage": "VARCHAR", "declared_on": "DATE",
        "units_said": "BIGINT", "units_read": "BIGINT",
    },
    _constant(
        "SELECT coalesce(facility, sender) AS facility, channel, NULL::VARCHAR AS database, night, sender, source,"
        " state, code, coalesce(notes, '') AS notes, signature, vintage, declared_on, units_said, units_read"
        " FROM standard.files"
    ),
)  # fmt: skip

OFFERS = Facts(
    {"night": "DATE", "state": "VARCHAR", "code": "VARCHAR"},
    _constant(
        "SELECT o.sender AS facility, f.channel, NULL::VARCHAR AS database, o.night, o.state, o.code"
        " FROM standard.offers o LEFT JOIN (SELECT offer, min(channel) AS channel FROM standard.files"
        " GROUP BY offer) f ON f.offer = coalesce(o.duplicate_of, o.offer)"
    ),
)

UNITS = Facts(
    {"kind": "VARCHAR", "parts": "VARCHAR", "codes": "VARCHAR", "is_refused": "BOOLEAN"},
    _constant(
        "SELECT coalesce(u.facility, f.facility) AS facility, f.channel, NULL::VARCHAR AS database, u.kind, u.parts,"
        " concat_ws(';', coalesce(u.problems, ''), r.codes) AS codes, u._unit IS NULL AS is_refused"
        " FROM standard.units u FULL JOIN (SELECT _file, _unit, string_agg(DISTINCT code, ';' ORDER BY code) AS codes"
        " FROM standard.rejects WHERE _unit IS NOT NULL GROUP BY _file, _unit) r USING (_file, _unit)"
        " JOIN standard.files f USING (_file)"
    ),
)


def _counts(project: Project) -> str:
    standing = " UNION ALL ".join(
        f"SELECT _file, '{t}' AS table_id, count(*) AS n FROM standard.{sql_name(t)} GROUP BY _file"
        for t in project.tables
    )
    return (
        "SELECT coalesce(f.facility, f.sender) AS facility, NULL::VARCHAR AS channel,"
        " split_part(table_id, '.', 1) AS database, coalesce(c.read, 0) AS read, coalesce(c.rejected, 0) AS rejected,"
        f" coalesce(s.n, 0) AS standing FROM standard.counts c FULL JOIN ({standing}) s USING (_file, table_id)"
        " JOIN standard.files f USING (_file)"
    )


COUNTS = Facts({"read": "BIGINT", "rejected": "BIGINT", "standing": "BIGINT"}, _counts)

REFUSALS = Facts(
    {"night": "DATE", "answered_on": "DATE", "tonight": "DATE"},
    _constant(
        "SELECT r.sender AS facility, r.channel, NULL::VARCHAR AS database, r.night,"
        " min(a.night) AS answered_on, (SELECT max(night) FROM standard.files) AS tonight"
        " FROM (SELECT sender, channel, night, _file FROM standard.files WHERE state = 'REJECTED' AND channel IS NOT NULL) r"
        " LEFT JOIN standard.files a ON a.sender = r.sender AND a.channel = r.channel AND a.state <> 'REJECTED'"
        " AND a.night > r.night GROUP BY r.sender, r.channel, r.night, r._file"
    ),
)

PRESCRIPTIONS_SENT = Facts(
    {"fate": "VARCHAR"},
    _constant(
        f"SELECT s._facility AS facility, {NO_CHANNEL}, coalesce(r.fate, 'current') AS fate"
        " FROM standard.eprescription__prescription s"
        " LEFT JOIN recon.eprescription__prescription r USING (_file, _row)"
    ),
)

LICENCES = Facts(
    {"holders": "BIGINT"},
    _constant(
        f"SELECT max_by(_facility, _night) AS facility, {NO_CHANNEL}, count(DISTINCT citizen_id) AS holders"
        " FROM standard.practitioners__practitioner WHERE so_gphn IS NOT NULL GROUP BY so_gphn"
    ),
)

REFERRAL_PAPERS = Facts(
    {"signature": "VARCHAR", "issued_on": "DATE"},
    _constant(
        f"SELECT r._facility AS facility, {NO_CHANNEL}, f.signature, CAST(r.ngay_ra AS DATE) AS issued_on"
        " FROM current.referral_reexam__referral r JOIN standard.files f USING (_file)"
    ),
)

RUNS = Facts(
    {"outcome": "VARCHAR", "snapshot": "VARCHAR", "began": "TIMESTAMP", "ended": "TIMESTAMP", "judged": "TIMESTAMP"},
    _constant(
        f"SELECT NULL::VARCHAR AS facility, {NO_CHANNEL}, outcome, snapshot, began, ended, judged"
        " FROM standard.runs WHERE is_over"
    ),
)  # fmt: skip

# -- the two channels --------------------------------------------------------------------------------

TWICE_SENT = Facts(
    {"state": "VARCHAR", "versions_here": "BIGINT", "versions_there": "BIGINT"},
    _constant(
        f"SELECT v.facility, {NO_CHANNEL}, v.state, a.versions AS versions_here, b.versions AS versions_there"
        " FROM recon.channel_visits v"
        " JOIN recon.units a ON a.facility = v.facility AND a.ma_lk = v.ma_lk AND a.channel = 'coordination'"
        " AND a.kind = 'visit' AND a.fate = 'current'"
        " JOIN recon.units b ON b.facility = v.facility AND b.ma_lk = v.ma_lk AND b.channel = 'social_insurance'"
        " AND b.kind = 'visit' AND b.fate = 'current'"
    ),
)

ONE_SIDED = Facts(
    {"has_other_key": "BOOLEAN"},
    _constant(
        f"""
        WITH sides AS (
            SELECT 'only_coordination' AS state, _key, _facility, ngay_vao, ma_benh_chinh, person_id
            FROM current.kcb_emr__visit LEFT JOIN link.unit_persons USING (_key)
            UNION ALL
            SELECT 'only_insurance', _key, _facility, ngay_vao, ma_benh_chinh, person_id
            FROM current.bhyt_claims__claim LEFT JOIN link.unit_persons USING (_key)
        ), alone AS (
            SELECT s.* FROM sides s JOIN recon.channel_visits v
            ON v.state = s.state AND s._key = v.facility || '|' || v.ma_lk
        )
        SELECT a._facility AS facility, {NO_CHANNEL},
               bool_or(coalesce(abs(date_diff('minute', a.ngay_vao, b.ngay_vao)) <= 60, false)) AS has_other_key
        FROM alone a LEFT JOIN alone b ON b.state <> a.state AND b._facility = a._facility
             AND b.person_id = a.person_id AND b.ma_benh_chinh = a.ma_benh_chinh
        GROUP BY a._key, a.state, a._facility
        """
    ),
)


def _channel_fields(project: Project) -> str:
    names = ", ".join(f"'{n}'" for n in project.tables[VISITS[0][1]].field_names)
    return (
        f"SELECT s.facility, {NO_CHANNEL}, s.visits, coalesce(d.differing, 0) AS differing"
        " FROM (SELECT facility, count(*) AS visits FROM recon.channel_visits WHERE state IN ('identical', 'different')"
        f" GROUP BY facility) s CROSS JOIN (SELECT unnest([{names}]) AS field) n"
        " LEFT JOIN recon.channel_fields d ON d.facility = s.facility AND d.field = n.field"
    )


CHANNEL_FIELDS = Facts({"visits": "BIGINT", "differing": "BIGINT"}, _channel_fields)

# -- persons -----------------------------------------------------------------------------------------

PERSONS = Facts(
    {
        "person_id": "VARCHAR", "records": "BIGINT", "citizen_ids": "BIGINT", "busiest_night": "BIGINT",
        "sexes": "BIGINT", "birth_years_apart": "BIGINT",
    },
    _constant(
        f"""
        WITH told AS (SELECT p.person_id, r.* FROM link.record_persons p JOIN link.records r USING (record_key)),
        busy AS (SELECT person_id, max(n) AS n FROM (
            SELECT person_id, night, count(*) AS n FROM told GROUP BY ALL) GROUP BY person_id)
        SELECT min(t.facility) AS facility, {NO_CHANNEL}, t.person_id, count(*) AS records,
               count(DISTINCT citizen_id) AS citizen_ids, any_value(b.n) AS busiest_night,
               count(DISTINCT sex) AS sexes, max(birth_year) - min(birth_year) AS birth_years_apart
        FROM told t JOIN busy b USING (person_id) GROUP BY t.person_id
        """
    ),
)  # fmt: skip


def _same(keys: str, apart: str) -> Callable[[Project], str]:
    """Groups of at least two signatures equal in `keys`, with how many persons linking made of them."""
    return _constant(
        f"SELECT min(s.facility) AS facility, {NO_CHANNEL}, count(DISTINCT c.person_id) AS persons,"
        f" bool_or({apart}) AS may_differ FROM link.signatures s JOIN link.clusters c USING (sid)"
        " LEFT JOIN (SELECT sid_a AS sid FROM link.refused UNION SELECT sid_b FROM link.refused"
        " UNION SELECT sid_a FROM link.cut_edges UNION SELECT sid_b FROM link.cut_edges) x USING (sid)"
        f" WHERE {' AND '.join(f's.{k} IS NOT NULL' for k in keys.split(', '))}"
        f" GROUP BY {', '.join(f's.{k}' for k in keys.split(', '))} HAVING count(*) > 1"
    )


SAME_ID = Facts(
    {"persons": "BIGINT", "may_differ": "BOOLEAN"},
    _same("citizen_id, birth_year, name_folded", "x.sid IS NOT NULL"),
)
SAME_INSURANCE = Facts(
    {"persons": "BIGINT", "may_differ": "BOOLEAN"},
    _same("insurance_number, birth_year, sex, name_folded", "x.sid IS NOT NULL"),
)

TWINS = Facts(
    {"names": "BIGINT", "persons": "BIGINT"},
    _constant(
        f"SELECT min(s.facility) AS facility, {NO_CHANNEL}, count(DISTINCT s.name_folded) AS names,"
        " count(DISTINCT c.person_id) AS persons FROM link.signatures s JOIN link.clusters c USING (sid)"
        " WHERE s.mother_citizen_id IS NOT NULL AND s.born_on IS NOT NULL AND s.name_folded IS NOT NULL"
        " GROUP BY s.mother_citizen_id, s.born_on HAVING count(DISTINCT s.name_folded) > 1"
    ),
)

NEWBORNS = Facts(
    {"oldest_year": "INTEGER", "birth_year": "INTEGER"},
    _constant(
        f"""
        WITH born AS (SELECT _facility, birth_year, person_id FROM current.kcb_emr__visit
            JOIN link.unit_persons USING (_key)
            WHERE birth_precision IN ('day', 'minute') AND date_diff('day', born_on, CAST(ngay_vao AS DATE)) BETWEEN 0 AND 28),
        years AS (SELECT p.person_id, min(r.birth_year) AS oldest FROM link.record_persons p
            JOIN link.records r USING (record_key) SEMI JOIN born USING (person_id) GROUP BY p.person_id)
        SELECT _facility AS facility, {NO_CHANNEL}, oldest AS oldest_year, birth_year
        FROM born JOIN years USING (person_id)
        """
    ),
)

JOINS = Facts(
    {"strong_key": "VARCHAR"},
    _constant(f"SELECT NULL::VARCHAR AS facility, {NO_CHANNEL}, strong_key FROM link.edges"),
)

POSSIBLE_PAIRS = Facts(
    {"person_a": "VARCHAR", "person_b": "VARCHAR"},
    _constant(
        f"SELECT NULL::VARCHAR AS facility, {NO_CHANNEL}, person_a, person_b FROM link.review"
    ),
)

# -- a facility's own figures ------------------------------------------------------------------------

SILENCE = Facts(
    {"days_silent": "BIGINT", "status": "VARCHAR"},
    _constant(
        f"SELECT r.ma_cskcb AS facility, {NO_CHANNEL}, date_diff('day', max(f.night),"
        " (SELECT max(night) FROM standard.files)) AS days_silent, any_value(r.trang_thai) AS status"
        " FROM current.facilities__facility r JOIN standard.files f ON coalesce(f.facility, f.sender) = r.ma_cskcb"
        " GROUP BY r.ma_cskcb"
    ),
)


def _per_visit_table(select: str, group: str = "") -> Callable[[Project], str]:
    return _constant(
        " UNION ALL ".join(
            select.format(
                channel=f"'{channel}' AS channel, NULL::VARCHAR AS database", table=_current(t)
            )
            + group
            for channel, t in VISITS
        )
    )


PUNCTUALITY = Facts(
    {"records": "BIGINT", "median_hours": "DOUBLE", "p95_hours": "DOUBLE"},
    _per_visit_table(
        "SELECT _facility AS facility, {channel}, count(*) AS records, median(hours) AS median_hours,"
        " quantile_cont(hours, 0.95) AS p95_hours FROM (SELECT _facility,"
        " date_diff('hour', ngay_ra, CAST(_first_night AS TIMESTAMP) + INTERVAL 1 DAY) AS hours"
        " FROM {table} WHERE ngay_ra IS NOT NULL) GROUP BY _facility"
    ),
)

VOLUMES = Facts(
    {"visits": "BIGINT", "usual": "DOUBLE", "spread": "DOUBLE", "weeks": "BIGINT"},
    _per_visit_table(
        "SELECT facility, {channel}, any_value(n) FILTER (is_tonight) AS visits, median(n) FILTER (NOT is_tonight)"
        " AS usual, mad(n) FILTER (NOT is_tonight) AS spread, count(*) FILTER (NOT is_tonight) AS weeks FROM ("
        " SELECT _facility AS facility, _first_night, count(*) AS n,"
        " _first_night = (SELECT max(_first_night) FROM {table}) AS is_tonight FROM {table}"
        " WHERE isodow(_first_night) = isodow((SELECT max(_first_night) FROM {table})) GROUP BY ALL) GROUP BY facility"
    ),
)

BIRTH_DATES = Facts(
    {"persons": "BIGINT", "first_of_january": "BIGINT", "year_only": "BIGINT"},
    _per_visit_table(
        "SELECT _facility AS facility, {channel}, count(*) AS persons,"
        " count(*) FILTER (month(born_on) = 1 AND day(born_on) = 1) AS first_of_january,"
        " count(*) FILTER (birth_precision = 'year') AS year_only FROM {table}"
        " WHERE birth_year IS NOT NULL GROUP BY _facility"
    ),
)

DEVICE_HOURS = Facts(
    {"group": "VARCHAR", "patients": "BIGINT"},
    _constant(
        f'SELECT _facility AS facility, {NO_CHANNEL}, ma_nhom AS "group", count(DISTINCT _key) AS patients'
        " FROM current.kcb_emr__service WHERE ma_may IS NOT NULL AND NOT contains(ma_may, ';') AND ngay_th_yl IS NOT NULL"
        " GROUP BY _facility, ma_may, ma_nhom, date_trunc('hour', ngay_th_yl)"
    ),
)

APPOINTMENTS = Facts(
    {"due": "BIGINT", "kept": "BIGINT"},
    _constant(
        f"""
        WITH tonight AS (SELECT max(night) AS night FROM standard.files),
        due AS (
            SELECT a._file, a._row, a._facility, p.person_id, CAST(a.ngay_hen_kl AS DATE) AS day
            FROM current.referral_reexam__appointment a JOIN link.unit_persons p USING (_key), tonight
            WHERE CAST(a.ngay_hen_kl AS DATE) + INTERVAL 14 DAY <= tonight.night),
        came AS (
            SELECT DISTINCT d._file, d._row FROM due d JOIN link.unit_persons p USING (person_id)
            JOIN current.kcb_emr__visit v ON v._key = p._key AND v._facility = d._facility
                 AND CAST(v.ngay_vao AS DATE) BETWEEN d.day - INTERVAL 14 DAY AND d.day + INTERVAL 14 DAY)
        SELECT _facility AS facility, {NO_CHANNEL}, count(*) AS due, count(c._row) AS kept
        FROM due LEFT JOIN came c USING (_file, _row) GROUP BY _facility
        """
    ),
)

FACTS: dict[str, Facts] = {
    "deliveries": DELIVERIES, "offers": OFFERS, "units": UNITS, "counts": COUNTS, "refusals": REFUSALS,
    "prescriptions_sent": PRESCRIPTIONS_SENT, "licences": LICENCES, "referral_papers": REFERRAL_PAPERS, "runs": RUNS,
    "twice_sent": TWICE_SENT, "one_sided": ONE_SIDED, "channel_fields": CHANNEL_FIELDS, "persons": PERSONS,
    "same_id": SAME_ID, "same_insurance": SAME_INSURANCE, "twins": TWINS, "newborns": NEWBORNS, "joins": JOINS,
    "possible_pairs": POSSIBLE_PAIRS, "silence": SILENCE, "punctuality": PUNCTUALITY, "volumes": VOLUMES,
    "birth_dates": BIRTH_DATES, "device_hours": DEVICE_HOURS, "appointments": APPOINTMENTS,
}  # fmt: skip
