"""The benchmark of a survey: what it says of growth, jobs and costs, and that a miss ends it with an error."""

import importlib.util
import json
from collections import Counter
from pathlib import Path

import pytest
from support import survey_originals
from support.baxels import simulated_extracts, write_extracts
from support.sheets import galaxies
from support.survey_steps import commanded, job_costs, slope

from mangrove.artefacts import input_hash

ROOT = Path(__file__).resolve().parents[2]
PLAN = """\
Job stats:
job                  count
-----------------  -------
fit_batched_07           2
extract                  1
labels                   1
total                    4

extract                  9
"""


@pytest.fixture(scope="module")
def survey():
    spec = importlib.util.spec_from_file_location("survey_benchmark", ROOT / "benchmarks" / "survey.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_slope_is_the_power_between_the_largest_surveys():
    assert slope({100: 1.0, 1000: 10.0, 10_000: 1000.0}) == pytest.approx(2.0)
    assert slope({100: 5.0, 1000: 5.0}) == pytest.approx(0.0)
    # Below the floor nothing but the start of a process is seen.
    assert slope({100: 0.01, 1000: 1.9}, floor=2.0) == pytest.approx(0.0)
    assert slope({100: 0.01, 1000: 20.0}, floor=2.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("step", "unit", "values", "holds"),
    [
        ("agn (rule)", "s", (10.0, 100.0), True),
        ("agn (rule)", "s", (100.0, 2000.0), False),
        # Half a minute of the shorter job may be unseen.
        ("agn (rule)", "s", (10.0, 200.0), True),
        ("run", "s", (10.0, 200.0), False),
        ("agn (rule)", "GB", (1.0, 9.0), True),
        ("labels (rule)", "GB", (1.0, 1.2), True),
        ("labels (rule)", "GB", (1.0, 2.0), False),
        ("run", "GB on disk", (1.0, 15.0), False),
        # The clock is told, and not judged: other programs run beside it.
        ("run", "s on the clock", (1.0, 1000.0), True),
    ],
)
def test_what_grows_faster_than_it_may_is_a_miss(survey, capsys, step, unit, values, holds):
    assert survey.holds(step, unit, dict(zip((100, 1000), values, strict=True))) is holds
    row = json.loads(capsys.readouterr().out)
    assert row["galaxies"] == [100, 1000] and (row.get("limit") is None) == (unit == "s on the clock")


def test_a_miss_ends_the_benchmark_with_an_error(survey, monkeypatch, capsys, tmp_path):
    costs = {100: 10.0, 1000: 100.0}
    monkeypatch.setattr(survey, "measured", lambda folder, n: iter([("run", costs[n], "s")]))
    monkeypatch.setattr("sys.argv", ["survey.py", "--galaxies", "100", "1000", "--folder", str(tmp_path)])
    assert survey.main() == 0
    costs[1000] = 300.0
    assert survey.main() == 1
    assert [json.loads(line)["value"] for line in capsys.readouterr().out.splitlines()][-1] == pytest.approx(1.477)


def test_artefacts_of_galaxies_have_the_hashes_of_their_content(tmp_path):
    """Or no step would read them."""
    (extract,) = simulated_extracts(1, 2)
    (path,) = write_extracts(tmp_path / "extract", [extract])
    cube = tmp_path / path.name
    survey_originals._write_line_cube(cube, extract)
    # A fit is copied as it is; another artefact stands for it.
    known = [survey_originals.Original(0.03, 0.0, {"extract": path, "fit": path, "line_cube": cube})]
    rows = survey_originals.as_galaxies(galaxies(3), known)
    survey_originals.write_galaxies(tmp_path / "run", rows, known)
    written = sorted((tmp_path / "run").rglob("*.h5"))
    assert len(written) == 9 and len({input_hash(path) for path in written}) == 9


def test_jobs_of_galaxies_are_counted_in_a_plan(survey):
    assert survey.jobs_of_galaxies(PLAN) == Counter(fit=2, extract=1)
    assert survey.jobs_of_galaxies("Nothing to be done.") == Counter()


def test_costs_of_rules_are_those_of_their_jobs(tmp_path):
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    (tmp_path / "extract").mkdir()
    for name, row in (("extract/1-1", "2.0 - 1000 0 0 0 0 0 0 1.5"), ("extract/1-2", "3.0 - 500 0 0 0 0 0 0 2.5")):
        (tmp_path / f"{name}.tsv").write_text(header + row.replace(" ", "\t") + "\n")
    (tmp_path / "labels.tsv").write_text(header + "\t".join(["0.1", "-", *["NA"] * 8]) + "\n")
    found = job_costs(tmp_path)
    assert found["extract"] == pytest.approx((5.0, 4.0, 1.048576))
    assert found["labels"] == (0.1, 0.0, 0.0)


def test_a_command_that_fails_is_an_error_that_shows_why(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)'pytest --no-such-option' failed in .*unrecognized arguments"):
        commanded(["pytest", "--no-such-option"], tmp_path)
    cost, text = commanded(["platform"], tmp_path)
    assert text.strip() and 0 < cost.processor < 10 and cost.wall > 0
