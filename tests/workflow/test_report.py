"""The report of a small run, as Snakemake builds it: complete, in order, every figure and table with its caption."""

import json
import re
from html import unescape

import pytest
from conftest import REGULAR, ROOT, TOO_FAINT

#: In this order; Snakemake sorts them by name.
CATEGORIES = ["Survey", "Spectra", "Spectral map", "Galaxy map", "Anomalies", "Emulator", "Run health"]


@pytest.fixture(scope="module")
def report(finished):
    """What the report holds: results by path, paths by category and subcategory, the first page."""
    page = finished.folder / "report.html"
    finished.snakemake("--report", page.name)
    text = page.read_text(encoding="utf-8")
    page.unlink()
    return {name: value_of(text, name) for name in ("results", "categories", "workflow_desc")}


def value_of(text, name):
    """The value of a variable of the page's script."""
    # Libraries in the page have variables of these names too.
    found = re.search(rf'^ *var {name} = (?=[{{"])', text, re.MULTILINE)
    return json.JSONDecoder().raw_decode(text, found.end())[0]


def parts(report):
    """Paths of the results by category and subcategory, in the order in which the report lists these."""
    for category in sorted(report["categories"]):
        for part in sorted(report["categories"][category]):
            yield category, part, report["categories"][category][part]


def test_categories_are_all_there_in_order(report):
    assert sorted(report["categories"]) == [f"{k}. {name}" for k, name in enumerate(CATEGORIES, 1)]


def test_subcategories_are_numbered_after_their_category(report):
    for category, part, paths in parts(report):
        number = category.partition(".")[0]
        assert re.fullmatch(rf"{number}\.\d [A-Z][a-z ]+", part) and paths
    assert "1.2 Single galaxies" in report["categories"]["1. Survey"]


def test_every_figure_and_table_of_the_run_is_shown(report, finished):
    made = {str(path.relative_to(finished.folder)) for path in (finished.run / "report").rglob("*") if path.is_file()}
    shown = [path for _, _, paths in parts(report) for path in paths]
    assert len(shown) == len(set(shown)) and set(shown) == set(report["results"])
    # The first page is part of the report's own.
    assert made - set(shown) == {"results/tiny/report/overview.html"}


def test_every_figure_and_table_has_a_caption(report):
    for path, result in report["results"].items():
        words = re.sub("<[^>]+>", "", result["caption"])
        assert len(words) > 80, path
        assert "system-message" not in result["caption"] and "{{" not in words and "``" not in words, path
    assert REGULAR in report["results"][f"results/tiny/report/galaxies/{REGULAR}-maps.png"]["caption"]


def test_every_caption_is_of_a_rule():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    words = set(re.findall(r'"(\w+)"', text))
    families = {f"{family}_{word}" for family in re.findall(r'f"(\w+)_\{name\}"', text) for word in words}
    captions = {path.stem for path in (ROOT / "workflow" / "report").glob("*.rst")} - {"workflow"}
    assert captions - words - families == set()


def test_labels_tell_results_apart_and_hide_none(report):
    """Of labels after the first that have two values, each in half of the results, Snakemake makes a switch."""
    for _, part, paths in parts(report):
        labels = [report["results"][path]["labels"] for path in paths]
        assert len({tuple(one.values()) for one in labels}) == len(labels), part
        tables = [one["result"].endswith("(table)") for one in labels]
        assert tables == [path.endswith(".csv") for path in paths], part
        for name in {name for one in labels for name in [*one][1:]} - {"network"}:
            values = [one[name] for one in labels if name in one]
            assert {values.count(value) for value in values} != {len(labels) / 2}, (part, name)


def test_first_page_has_numbers_outcomes_failures_and_times(report, finished):
    page = unescape(report["workflow_desc"])
    assert "2 galaxies, 1 of them ok; no failures in the logs; " in page
    assert "None: no log of this run holds a failure." in page
    assert re.search(rf"<td>too faint</td>\s*<td>no spaxel .*</td>\s*<td>1</td>\s*<td>{TOO_FAINT}</td>", page)
    measured = {path.relative_to(finished.run / "benchmarks").parts[0] for path in finished.run.rglob("*.tsv")}
    steps = {name.removesuffix(".tsv").replace("_", " ") for name in measured} - {"overview"}
    assert steps and all(f"<td>{step}</td>" in page for step in steps)
    assert "src=" not in page.replace('src="data:', "")
