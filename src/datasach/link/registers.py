"""Who already has a health book, whom the population database confirmed, and whether facilities make use of it."""

from __future__ import annotations

from datasach.store.warehouse import Warehouse

BOOK, CHECK, CONSENT, SUMMARY = (
    "ehr_book.book", "ehr_book.population_check", "ehr_book.consent", "ehr_book.summary",
)  # fmt: skip
VISITS = ("kcb_emr.visit", "bhyt_claims.claim")
"""The two channels' tables of visits; a visit that stands in both is the first one's."""


def match_registers(warehouse: Warehouse) -> None:
    """Reads   link.record_persons, current.ehr_book__book, current.ehr_book__population_check
    Writes  link.register_match  register, result (of the check; blank for books), records, persons, matched: records
                                 whose person is known from outside the registers too; repeated: records beyond the
                                 first of a person in this register and result
    """
    warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE link.register_match AS
        WITH met AS (SELECT DISTINCT person_id FROM link.record_persons WHERE table_id NOT IN ('{BOOK}', '{CHECK}')),
        entries AS (
            SELECT '{BOOK}' AS register, '' AS result, _file, _row FROM current.ehr_book__book
            UNION ALL
            SELECT '{CHECK}', coalesce(ket_qua, '?'), _file, _row FROM current.ehr_book__population_check)
        SELECT register, result, count(*) AS records, count(DISTINCT p.person_id) AS persons,
               count(met.person_id) AS matched, count(p.person_id) - count(DISTINCT p.person_id) AS repeated
        FROM entries e
        LEFT JOIN link.record_persons p ON p.table_id = e.register AND p._file = e._file AND p._row = e._row
        LEFT JOIN met ON met.person_id = p.person_id
        GROUP BY ALL ORDER BY ALL
        """
    )


def measure_reuse(warehouse: Warehouse) -> None:
    """Reads   current.* of visits, books, consents and summaries, link.record_persons
    Writes  link.register_reuse  one row per facility: visits; with_book: visits whose person held a book made on or
                                 before the day of admission, the visits that could have begun from it (the reuse
                                 rate is with_book / visits); agrees: those of them that say who he is exactly as the
                                 book does (name, birth, sex, personal id); differs: those that typed something else;
                                 allowed: his newest consent up to the discharge lets the book be shared; fed: the
                                 visit's summary was sent, so the book grows

    `agrees` is the most that can have been taken from a book: what was read from it agrees with it. Visits are
    those of both channels, each once.
    """
    columns = "_key, _facility, ngay_vao, ngay_ra, name_folded, birth_year, sex, citizen_id"
    first, second = (f"current.{name.replace('.', '__')}" for name in VISITS)
    warehouse.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE reuse_visits AS
        SELECT v.*, p.person_id FROM (
            SELECT '{VISITS[0]}' AS table_id, _file, _row, {columns} FROM {first}
            UNION ALL
            SELECT '{VISITS[1]}', _file, _row, {columns} FROM {second}
            ANTI JOIN (SELECT _key FROM {first}) b USING (_key)) v
        LEFT JOIN link.record_persons p ON p.table_id = v.table_id AND p._file = v._file AND p._row = v._row;

        CREATE OR REPLACE TEMP TABLE reuse_books AS
        SELECT p.person_id, b.ngay_tao, b.name_folded, b.birth_year, b.sex, b.citizen_id
        FROM current.ehr_book__book b
        JOIN link.record_persons p ON p.table_id = '{BOOK}' AND p._file = b._file AND p._row = b._row
        SEMI JOIN reuse_visits v ON v.person_id = p.person_id;

        CREATE OR REPLACE TEMP TABLE reuse_found AS
        SELECT v._key, bool_or(b.name_folded = v.name_folded AND b.birth_year = v.birth_year AND b.sex = v.sex
                               AND coalesce(b.citizen_id = v.citizen_id, true)) AS agrees
        FROM reuse_visits v JOIN reuse_books b
          ON b.person_id = v.person_id AND b.ngay_tao <= CAST(v.ngay_vao AS DATE)
        GROUP BY v._key;

        CREATE OR REPLACE TEMP TABLE reuse_consents AS
        SELECT v._key, arg_max(c.trang_thai, c.thoi_diem) = 'dong_y' AS allowed
        FROM reuse_visits v
        JOIN (SELECT p.person_id, c.trang_thai, c.thoi_diem FROM current.ehr_book__consent c
              JOIN link.record_persons p ON p.table_id = '{CONSENT}' AND p._file = c._file AND p._row = c._row) c
          ON c.person_id = v.person_id AND c.thoi_diem <= coalesce(v.ngay_ra, v.ngay_vao)
        GROUP BY v._key;

        CREATE OR REPLACE TABLE link.register_reuse AS
        SELECT v._facility AS facility, count(*) AS visits, count(f._key) AS with_book,
               count(*) FILTER (f.agrees) AS agrees,
               count(*) FILTER (f._key IS NOT NULL AND NOT coalesce(f.agrees, false)) AS differs,
               count(*) FILTER (f._key IS NOT NULL AND c.allowed) AS allowed,
               count(*) FILTER (f._key IS NOT NULL AND s._key IS NOT NULL) AS fed
        FROM reuse_visits v
        LEFT JOIN reuse_found f USING (_key) LEFT JOIN reuse_consents c USING (_key)
        LEFT JOIN (SELECT DISTINCT _key FROM current.ehr_book__summary) s USING (_key)
        GROUP BY v._facility ORDER BY v._facility
        """
    )
