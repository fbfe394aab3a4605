"""datasach: clean, linked, accountable health data.

One room per stage; rooms meet in tables, never in each other's functions:

    extract      landed files               → raw tables (text as sent)
    standardise  raw                        → standard tables, typed, with every change recorded
    reconcile    standard                   → which version of a record counts; the two channels compared
    link         standard                   → persons
    validate     standard, persons          → findings, metrics, gate
    publish      accepted rows              → Parquet snapshots with a manifest
    report       metrics, ledger, findings  → receipts and pages

`spec` reads what the project declares, `vn` knows the country, `store` opens files, `pipeline` knows
the order, `runners` execute it, `synth` invents nights to try it on.
"""

__version__ = "0.1.0"
