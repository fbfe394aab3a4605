"""Nights small enough to read, by the dozen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from datasach.spec.project import Project


@pytest.fixture(scope="session")
def project(whole_project: Project) -> Project:
    """Without the page of every rule: a thousand pages for two visits are half of such a night's cost."""
    pages = tuple(page for page in whole_project.pages if page.per != "rule")
    return replace(whole_project, pages=pages)
