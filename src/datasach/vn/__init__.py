"""Facts of Viet Nam: names, text, dates, identifiers, places, codes.

Each module has a scalar reference for people and an expression (or a Series function) for columns,
which tests/property/test_vn_agreement.py holds together. Nothing here opens a file: tables are passed.
"""
