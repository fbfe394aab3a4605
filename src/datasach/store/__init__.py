"""The only room that knows where things lie in a warehouse: ledger, landing, parts, snapshots, DuckDB."""
