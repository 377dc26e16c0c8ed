"""The list of deliberate breaks (`tests.breaks`) fits the code as it is; the breaks themselves take minutes."""

from __future__ import annotations

import pytest

from tests.breaks import BREAKS, ROOT, Break


@pytest.mark.parametrize("each", BREAKS, ids=lambda each: each.why)
def test_a_break_changes_one_place_and_names_tests_that_exist(each: Break) -> None:
    text = (ROOT / each.file).read_text()
    assert text.count(each.text) == 1
    assert each.text != each.replacement
    for test in each.tests.split():
        path, _, name = test.partition("::")
        assert (ROOT / path).exists()
        assert not name or f"def {name}(" in (ROOT / path).read_text()
