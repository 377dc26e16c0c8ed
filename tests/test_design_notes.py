"""Design notes: each fits on one screen, is in the index, has the five parts, and links to files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "design"
NOTES = sorted(FOLDER.glob("[0-9]*.md"))
LINK = re.compile(r"\]\(([^)#]+)\)")


@pytest.mark.parametrize("path", [FOLDER / "README.md", *NOTES], ids=lambda path: path.stem)
def test_links_lead_to_files_of_the_repository(path: Path) -> None:
    links = LINK.findall(path.read_text())
    assert links
    assert [link for link in links if not (FOLDER / link).exists()] == []


@pytest.mark.parametrize("path", NOTES, ids=lambda path: path.stem)
def test_a_note_fits_on_one_screen_and_has_all_parts(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 110
    for part in ("**Decided.**", "**Why", "**Also considered.**", "**What would change it.**", "**Where.**"):
        assert part in text, part


def test_the_index_names_every_note_once() -> None:
    assert sorted(LINK.findall((FOLDER / "README.md").read_text())) == [path.name for path in NOTES]
