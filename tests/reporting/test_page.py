"""The report in a real browser: its content and its interaction."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page

from badger_sweeps.reporting.reading.collection import gather
from benchmarks.made_up import write_run
from tests import warm
from tests.browser import Opened, Show

pytestmark = pytest.mark.xdist_group("page")  # one worker: their runs are made once

DRAWN = ".main-svg"


STATE = """() => JSON.stringify([
  document.documentElement.dataset.theme,
  ...[...document.querySelectorAll("table, p, summary, .notice")].map(element => element.outerHTML),
  ...[...document.querySelectorAll("input, select")].map(element => [element.checked, element.value]),
  ...[...document.querySelectorAll("details")].map(element => element.open),
  document.activeElement.tagName,
])"""
"""What a user can change on a page, as text."""


@pytest.fixture(scope="module")
def opened(chromium: Browser) -> Iterator[Opened]:
    opened = Opened(chromium)
    yield opened
    opened.close()


@pytest.fixture
def page(study: Path, printed: str, opened: Opened) -> Iterator[Page]:
    """A page as it is when it is opened: the one of the test before unless that has changed it."""
    if not opened.pages:
        opened.show(study)
    (page,) = opened.pages
    before = page.evaluate(STATE)
    yield page
    if page.evaluate(STATE) != before:
        page.close()
        opened.pages.clear()
    assert opened.wrong == []


def seen(page: Page, name: str) -> Locator:
    """A figure, scrolled into view and drawn."""
    place = page.locator(f"[id='figure-{name}']")
    place.scroll_into_view_if_needed()
    place.locator(DRAWN).first.wait_for()
    return place


def traces(place: Locator) -> list[dict[str, object]]:
    """The run, visibility and opacity of each drawn trace."""
    return place.evaluate(  # type: ignore[no-any-return]
        "place => place.data.map(({meta, visible, opacity}) => ({run: meta?.run, visible, opacity}))"
    )


def test_the_table_has_every_configuration(page: Page, study: Path) -> None:
    rows = page.locator("#results tbody tr")
    assert [rows.nth(i).locator(".pick").inner_text().strip() for i in range(2)] == ["gru", "exponential"]
    assert re.fullmatch(r"\d/8", rows.first.locator("td").nth(4).inner_text())
    assert rows.locator("svg.sparkline polyline").count() == 2
    folders = [rows.nth(i).locator("a", has_text="folder").get_attribute("href") for i in range(2)]
    assert [study / unquote(str(folder)).rstrip("/") for folder in folders] == [
        run.folder for run in gather(study).runs
    ]
    headings = page.locator("#results th").all_inner_texts()
    assert {"restricted mean", "escaped", "objective", "solved"} <= {heading.strip() for heading in headings}


def test_every_seed_its_plateaus_and_the_levels_are_drawn(page: Page, study: Path) -> None:
    plateaus = 0
    for number, run in enumerate(gather(study).runs):
        of_run = sum(len(outcome.plateaus) for outcome in run.summary.outcomes)
        panel = seen(page, f"staircase-{number}")
        assert panel.locator(".shapelayer path").count() == of_run + 8 * len(run.summary.staircase.levels)
        assert panel.locator(".scatterlayer .trace.scatter").count() == 8 + of_run
        plateaus += of_run
    assert plateaus > 0
    assert seen(page, "escape").locator(".scatterlayer .trace.scatter").count() == 6


def test_a_panel_for_each_measure_has_thin_seeds_and_a_bold_median(page: Page) -> None:
    names = page.locator("figure.measure").evaluate_all(
        "figures => figures.map(figure => figure.id.replace('measure-', ''))"
    )
    assert {"loss", "evaluation/loss", "mi/mean", "binding/outer", "grad_norm", "loss_dim/0"} <= set(names)
    loss = seen(page, "measure-0")
    widths = loss.evaluate("place => place.data.map(({line}) => line.width)")
    assert sorted(widths) == [0.8] * 16 + [2.8] * 2


def test_a_click_on_a_row_highlights_its_curves(page: Page) -> None:
    loss = seen(page, "measure-0")
    row = page.locator("#row-1")
    row.locator(".pick").click()
    assert row.get_attribute("class") == "picked"
    assert row.locator(".pick").get_attribute("aria-pressed") == "true"
    assert {(trace["run"], trace["opacity"]) for trace in traces(loss)} == {(0, 0.12), (1, 1)}
    row.locator(".pick").click()
    assert {trace["opacity"] for trace in traces(loss)} == {1}
    assert row.get_attribute("class") == ""


def test_a_click_on_a_curve_leads_to_its_row(page: Page) -> None:
    loss = seen(page, "measure-0")
    x, y = loss.evaluate(
        """place => {
          const {x0, dx, y} = place._fullData.at(-1), {xaxis, yaxis} = place._fullLayout;
          const others = place._fullData.slice(0, -1).map(trace => trace.y);
          const gap = at => Math.min(...others.map(other => Math.abs(other[at] - y[at]))) || 0;
          const at = [...y.keys()].slice(2, -2).reduce((a, b) => gap(b) > gap(a) ? b : a);
          const box = place.querySelector(".nsewdrag").getBoundingClientRect();
          return [box.x + xaxis.d2p(x0 + at * dx), box.y + yaxis.d2p(y[at])];
        }"""
    )
    page.mouse.move(x, y, steps=3)
    page.wait_for_selector(".hoverlayer .hovertext")
    page.mouse.click(x, y)
    page.wait_for_selector("#row-1.picked")


def test_a_row_that_is_not_drawn_has_no_curves(page: Page) -> None:
    loss = seen(page, "measure-0")
    page.locator("#row-0 .draw").uncheck()
    assert {(trace["run"], trace["visible"]) for trace in traces(loss)} == {(0, False), (1, True)}
    page.locator("#draw-all").click()
    assert {trace["visible"] for trace in traces(loss)} == {True}
    page.locator("#draw-none").click()
    assert {trace["visible"] for trace in traces(loss)} == {False}


@pytest.mark.parametrize("key", ["click", "Enter"])
def test_a_table_is_sorted_by_any_column(page: Page, study: Path, key: str) -> None:
    means = {run.label: run.summary.value.value for run in gather(study).runs}
    up = sorted(means, key=lambda label: means[label])
    head = page.locator("#results th", has_text="restricted mean")
    button = head.locator("button")
    for order, expected in (("ascending", up), ("descending", up[::-1])):
        button.click() if key == "click" else button.press("Enter")
        assert head.get_attribute("aria-sort") == order
        assert [text.strip() for text in page.locator("#results .pick").all_inner_texts()] == expected


def test_the_choice_of_drawn_configurations_survives_a_reload(page: Page) -> None:
    page.locator("#row-0 .draw").uncheck()
    page.reload()
    assert [box.is_checked() for box in page.locator(".draw").all()] == [False, True]


def test_scrolling_regions_can_be_scrolled_by_keyboard(page: Page) -> None:
    regions = page.locator(".scroll")
    assert regions.count() > 5
    assert {region.get_attribute("tabindex") for region in regions.all()} == {"0"}


def test_missing_values_come_last_in_either_order(page: Page) -> None:
    """``> 240`` is no median, and ``-`` no value."""
    page.evaluate(
        """() => {
          const rows = ["7 [1, 9]", "-", "-3.5", "> 240", "1e-05"].map((text) => `<tr><td>${text}</td></tr>`).join("");
          document.querySelector("#graph-table tbody").innerHTML = rows;
        }"""
    )
    button = page.locator("#graph-table .sort").first
    cells = page.locator("#graph-table td")
    button.click()
    assert cells.all_inner_texts() == ["-3.5", "1e-05", "7 [1, 9]", "-", "> 240"]
    button.click()
    assert cells.all_inner_texts() == ["7 [1, 9]", "1e-05", "-3.5", "-", "> 240"]


PRINTED = (
    (  # either minus
        ["\u221212.5 [\u221220, \u22123]", "\u22123", "-2 [-4, 1]", "\u22121.5e\u22121", "0.25", "+4", "11"],
        ["-", "nan"],
    ),
    (
        [
            *("\u22121,234,567", "\u22121,000 [\u22122,000, 0]", "\u2212999", "7, 8", "1\u202f000", "12\u00a0345.6"),
            "1,234,567",
        ],
        ["> 9,000"],
    ),
    (["-inf", "\u22121e+30", "0", "3 [-inf, inf]", "1e+30", "inf [2, inf]"], ["nan", "-"]),
    (["1.10.0", "1.2.0", "gru", "info"], [""]),  # no numbers
)
"""Cells in ascending order, and those without a value, which come last, in their order."""


def test_numbers_are_sorted_as_they_are_printed(page: Page) -> None:
    """Typographic and plain minus, separated thousands, infinities, intervals."""
    button, cells = page.locator("#graph-table .sort").first, page.locator("#graph-table td")
    for up, missing in PRINTED:
        page.evaluate(
            """texts => {
              const rows = texts.map((text) => `<tr><td>${text}</td></tr>`).join("");
              document.querySelector("#graph-table tbody").innerHTML = rows;
            }""",
            [*missing[:1], *sorted(up, key=len), *missing[1:]],
        )
        for expected in (up, up[::-1]):
            button.click()
            assert cells.all_text_contents() == [*expected, *missing]
    page.evaluate(
        """orders => {
          const rows = orders.map((order) => `<tr><td data-order="${order}">any</td></tr>`).join("");
          document.querySelector("#graph-table tbody").innerHTML = rows;
        }""",
        ["2", "-inf", "inf", "-3", "nan"],
    )
    for expected in (["-inf", "-3", "2", "inf", "nan"], ["inf", "2", "-3", "-inf", "nan"]):
        button.click()
        assert cells.evaluate_all("cells => cells.map(cell => cell.dataset.order)") == expected


def test_the_slider_shows_pairs_at_another_iteration(page: Page, study: Path) -> None:
    run = gather(study).runs[0]
    place = seen(page, "pairs")
    measured = run.history.loc[run.history["seed"] == 0, ["iteration", "mi/00__01"]].dropna()
    value = "place => place.data[0].z[0][1]"
    assert page.locator("#pairs-description").inner_text() == str(measured["iteration"].iloc[-1])
    assert place.evaluate(value) == pytest.approx(measured["mi/00__01"].iloc[-1], abs=5.1e-4)
    slider = page.locator("#pairs-iteration")
    slider.focus()
    slider.press("Home")
    slider.press("ArrowRight")
    assert page.locator("#pairs-description").inner_text() == str(measured["iteration"].iloc[1])
    assert place.evaluate(value) == pytest.approx(measured["mi/00__01"].iloc[1], abs=5.1e-4)
    assert slider.get_attribute("aria-valuetext") == f"iteration {measured['iteration'].iloc[1]}"
    page.locator("#pairs-seed").select_option(label="exponential, seed 3")
    other = gather(study).runs[1].history
    last = other.loc[other["seed"] == 3, "mi/00__01"].dropna().iloc[-1]
    assert place.evaluate(value) == pytest.approx(last, abs=5.1e-4)


def test_a_graph_is_drawn_with_its_spectrum(page: Page) -> None:
    place, spectrum = seen(page, "graph"), seen(page, "spectrum")
    experts = place.evaluate("place => place.data.at(-1).x.length")
    assert spectrum.evaluate("place => place.data[0].x.length") == experts
    before = place.evaluate("place => JSON.stringify(place.data[1].x)")
    page.locator("#graph-seed").select_option(label="gru, seed 4")
    assert place.evaluate("place => JSON.stringify(place.data[1].x)") != before
    assert f"{experts} experts" in page.locator("#graph-description").inner_text()


def test_two_configurations_are_compared(page: Page) -> None:
    keys = page.locator("#configuration-table tbody td:first-child")
    differing = ["architecture", "architecture.a", "architecture.b"]
    assert keys.all_inner_texts() == differing
    assert page.locator("#configurations tbody td:first-child").all_inner_texts() == differing
    page.locator("#configuration-all").check()
    whole = keys.all_inner_texts()
    assert "training.batch_size" in whole
    assert page.locator("#configuration-table tr.differs").count() == 3
    page.locator("#run-0 .configure").click()
    assert page.locator("#configuration-description").inner_text().endswith("keys.")
    assert page.locator("#configuration-table thead th").all_inner_texts() == ["key", "gru"]


def test_the_last_measurement_stays_selected_after_a_reload(page: Page) -> None:
    page.locator("#theme").click()  # before the pairs are visible
    page.reload()
    last = seen(page, "pairs").evaluate("() => document.getElementById('pairs-description').innerText")
    assert int(last) > 0
    page.locator("#pairs-iteration").press("ArrowLeft")
    earlier = page.locator("#pairs-description").inner_text()
    page.locator("#theme").click()
    page.reload()
    seen(page, "pairs")
    assert page.locator("#pairs-description").inner_text() == earlier != last


def test_a_dark_colour_scheme_gives_a_dark_page(study: Path, printed: str, browser: Show) -> None:
    page = browser(study, color_scheme="dark")
    background = "() => getComputedStyle(document.body).backgroundColor"
    ink = "place => place._fullLayout.xaxis.tickfont.color ?? place._fullLayout.font.color"
    dark, words = page.evaluate(background), seen(page, "escape").evaluate(ink)
    assert dark == "rgb(20, 23, 27)"
    page.locator("#theme").click()
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    assert seen(page, "escape").evaluate(ink) != words
    page.reload()  # the choice stays
    assert page.evaluate(background) == "rgb(255, 255, 255)"


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("width", "scheme"),
    [(390, "dark"), (1200, "light"), pytest.param(390, "light", marks=SLOW), pytest.param(1200, "dark", marks=SLOW)],
)
def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_page(
    study: Path, printed: str, browser: Show, width: int, scheme: str
) -> None:
    """Figures that are drawn do not make a phone scroll sideways."""
    page = browser(study, width=width, color_scheme=scheme)
    page.locator("#others summary").click()
    for name in ("escape", "measure-0", "pairs", "graph", "staircase-0"):
        seen(page, name)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    violations = Axe().run(page).response["violations"]
    serious = [violation for violation in violations if violation["impact"] in ("serious", "critical")]
    assert [(violation["id"], violation["nodes"][0]["html"][:200]) for violation in serious] == []


def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(document.activeElement.id || document.activeElement.className)"))
    assert {
        "theme",
        "draw",
        "pick",
        "sort",
        "pairs-seed",
        "pairs-iteration",
        "graph-seed",
        "configuration-first",
    } <= reached


def test_folders_that_are_left_out_are_listed(page: Page) -> None:
    left_out = page.locator("#left-out li").all_inner_texts()
    assert len(left_out) == 3
    assert left_out[0].startswith("<b>damaged</b>: damaged")  # escaped, not bold
    assert left_out[1] == "empty: not finished: it has no history.parquet"
    assert left_out[2].startswith("unfinished: not finished: at iteration 240 of 240, last written ")


def test_the_report_is_one_file_without_references_to_others(study: Path, printed: str) -> None:
    text = (study / "report.html").read_text()
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="(?!data:)', text)


EVIL = "</script><script>document.title='in'</script><img src=x onerror=alert(1)>%{x}"


def test_names_and_values_of_users_are_text_everywhere(study: Path, tmp_path: Path, browser: Show) -> None:
    """Labels and values reach the page through HTML, JSON and Plotly's own markup."""
    for number, run in enumerate(gather(study).runs):
        folder = tmp_path / f"<i>{number}&"
        shutil.copytree(run.folder, folder)
        summary = folder / "summary.json"
        name = f"{EVIL}{number}".replace('"', "'")
        summary.write_text(summary.read_text().replace(f'"name": "{run.summary.name}"', f'"name": "{name}"'))
        config = folder / ".hydra" / "config.yaml"
        config.write_text(f'{config.read_text()}\nnote: "{name}"\n')
    done = warm.run([sys.executable, "-m", "badger_sweeps", "report", str(tmp_path)])
    assert done.returncode == 0, done.stderr
    page = browser(tmp_path)
    assert page.title().startswith("Plateaus of")
    assert page.locator("#results .pick").first.inner_text().strip() == f"{EVIL}0"
    legend = seen(page, "measure-0").locator(".legendtext").first
    assert legend.text_content() == f"{EVIL}0"
    assert page.locator("img, #main i").count() == 0
    assert f"{EVIL}1" in page.locator("#configuration-table").inner_text()
    link = page.locator("#results a", has_text="folder").first
    assert link.evaluate("link => decodeURIComponent(link.href)").endswith("/<i>0&/")


@pytest.mark.slow
def test_sixty_four_seeds_of_five_thousand_iterations_are_a_page_below_ten_megabytes(
    tmp_path: Path, browser: Show
) -> None:
    write_run(tmp_path / "0", 8, 5000)
    for number in range(1, 8):
        shutil.copytree(tmp_path / "0", tmp_path / str(number))
    done = warm.run([sys.executable, "-m", "badger_sweeps", "report", str(tmp_path)])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").stat().st_size < 10e6
    page = browser(tmp_path)
    seen(page, "measure-0")
    captions = page.locator("figure.measure figcaption").all_inner_texts()
    assert any("Each point is the mean of" in caption for caption in captions)
    assert page.locator(".draw:checked").count() == 4  # at first, of eight
