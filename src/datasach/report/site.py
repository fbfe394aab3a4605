"""temporary"""
from __future__ import annotations
from typing import Any
def write_report(night: Any, progress: Any) -> dict[str, Any]:
    return {"site": str(night.layout.root/"reports")}
