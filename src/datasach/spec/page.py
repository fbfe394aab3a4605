"""A page of the report: `reports/pages.yaml` says which there are, for whom and from which template."""

from __future__ import annotations

from typing import Literal

from datasach.spec.contract import Title
from datasach.spec.load import Declared


class Page(Declared):
    id: str
    template: str
    per: Literal["night", "database", "province", "facility", "rule"]
    audience: Title
    title: Title
    path: str
    """Path below the site's root, with `{id}` where there is one page per thing."""


class Pages(Declared):
    pages: list[Page]
