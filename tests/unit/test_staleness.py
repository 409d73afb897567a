"""What tells an artefact of other params or code from one that a run would make just so."""

import h5py
import pytest

from mangrove import staleness
from mangrove.errors import ConfigError
from mangrove.staleness import Expected
from mangrove.verification import against_workflow


def record(path, params):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as f:
        f.attrs["params"] = params


@pytest.mark.parametrize(
    ("recorded", "current", "words"),
    [
        ({"a": 1, "b": [1.0, 2.0]}, {"a": 1.0, "b": (1, 2)}, ()),
        ({"a": 40.0, "code": "x"}, {"a": 30.0, "code": "y"}, ("code", "a 30.0 (was 40.0)")),
        ({"a": 1}, {"a": 1, "b": "new"}, ('b "new" (was not set)',)),
        ({"a": 1, "b": None}, {"a": 1}, ("b not set (was null)",)),
        ({"a": 0}, {"a": False}, ()),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}, ("a 2 (was 1)", "b 1 (was 2)")),
    ],
)
def test_differences_are_named_with_both_values(recorded, current, words):
    assert staleness.differences(recorded, current) == words


def test_params_of_all_outputs_and_of_each_count(tmp_path):
    record(tmp_path / "fit/a.h5", '{"degree": 8, "z": 0.1}')
    record(tmp_path / "fit/b.h5", '{"degree": 8, "z": 0.2}')
    files = {"fit/a.h5": {"z": 0.1}, "fit/b.h5": {"z": 0.3}, "fit/gone.h5": {"z": 0.5}}
    found = list(staleness.stale_artefacts(tmp_path, [Expected("fit", {"degree": 8}, files)]))
    assert [(one.path.name, one.why) for one in found] == [("b.h5", ("z 0.3 (was 0.2)",))]
    found = list(staleness.stale_artefacts(tmp_path, [Expected("fit", {"degree": 9}, files)]))
    assert [one.path.name for one in found] == ["a.h5", "b.h5"]


def test_what_records_nothing_or_is_damaged_is_not_called_stale(tmp_path):
    (tmp_path / "bad.h5").write_bytes(b"no HDF5")
    (tmp_path / "model.json").write_text('{"status": "empty"}', encoding="utf-8")
    record(tmp_path / "other.h5", "no JSON")
    names = ("bad.h5", "model.json", "other.h5", "gone.h5")
    assert list(staleness.stale_artefacts(tmp_path, [Expected("x", {"a": 1}, {name: {} for name in names})])) == []


def test_only_what_snakemake_has_no_record_of_is_looked_at(tmp_path):
    for name in ("a", "b"):
        record(tmp_path / f"{name}.h5", '{"degree": 8}')
    expected = [Expected("fit", {"degree": 9}, {"a.h5": {}, "b.h5": {}, "gone.h5": {}})]
    stale, checked = staleness.unrecorded_stale(tmp_path, expected, lambda path: path.endswith("a.h5"))
    assert ([one.path.name for one in stale], checked) == (["b.h5"], 1)
    text = staleness.warning(tmp_path, stale, checked)
    assert "1 x fit: degree 9 (was 8)" in text and "--forcerun fit" in text and "1 of 1" in text


def test_the_warning_of_a_whole_survey_is_short(tmp_path):
    stale = [staleness.Stale(tmp_path / f"{i}.h5", "fit", (f"z 0.{i} (was 0.0)",)) for i in range(100)]
    text = staleness.warning(tmp_path, [*stale, staleness.Stale(tmp_path / "x.h5", "fit", ("code",))], 120)
    assert "101 of 120" in text and "100 x fit: z 0.0 (was 0.0)" in text and "1 x fit: code" in text
    assert len(text.splitlines()) == 4


def test_the_configuration_of_a_run_is_found_by_its_name(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "config.yaml").write_text("run: dr17\n", encoding="utf-8")
    for file, text in {"a.yaml": "run: one", "b.yaml": "run: two", "c.yaml": "run: two", "d.yaml": "\tbad"}.items():
        (tmp_path / "configs" / file).write_text(text, encoding="utf-8")
    assert staleness.config_of(tmp_path, "one") == [tmp_path / "configs/a.yaml"]
    assert staleness.config_of(tmp_path, "dr17") == []
    assert staleness.config_of(tmp_path, "two") is None
    assert staleness.config_of(tmp_path, "three") is None


def test_without_a_checkout_or_a_configuration_verify_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "results/one"
    run.mkdir(parents=True)
    assert "there is no Snakefile" in against_workflow(run).note
    (tmp_path / "Snakefile").write_text("", encoding="utf-8")
    (tmp_path / "config.yaml").write_text("run: other\n", encoding="utf-8")
    assert "'run: one'. Give --config" in against_workflow(run).note


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "configuration file .*x.yaml does not exist"),
        ("fit:\n\tclip_sigma: 3\n", "x.yaml, line 2: not valid YAML: there is a tab"),
        ("fit: {clip: 3}\n", "unknown key 'fit.clip' in .*x.yaml, line 1"),
    ],
)
def test_a_wrong_configuration_is_named_with_its_line(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/one").mkdir(parents=True)
    (tmp_path / "Snakefile").write_text("", encoding="utf-8")
    (tmp_path / "config.yaml").write_text("run: other\n", encoding="utf-8")
    if text is not None:
        (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        against_workflow(tmp_path / "results/one", [tmp_path / "x.yaml"])


def test_the_configuration_of_another_run_is_said(tmp_path, monkeypatch):
    """It need not list the galaxies of this one: nothing would be stale."""
    monkeypatch.setattr(staleness, "ask_workflow", lambda root, files: [])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/one").mkdir(parents=True)
    (tmp_path / "Snakefile").write_text("", encoding="utf-8")
    for name, run in {"config.yaml": "dr17", "x.yaml": "other", "y.yaml": "one"}.items():
        (tmp_path / name).write_text(f"run: {run}\n", encoding="utf-8")
    run = tmp_path / "results/one"
    said = "(config.yaml and x.yaml, the configuration of run 'other')"
    assert said in against_workflow(run, [tmp_path / "x.yaml"]).note
    assert "(config.yaml and y.yaml)" in against_workflow(run, [tmp_path / "y.yaml"]).note


def test_a_workflow_that_cannot_be_read_says_why(tmp_path):
    (tmp_path / "Snakefile").write_text("import sys\nsys.exit('ConfigError: what is wrong')\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cannot be read(.|\n)*what is wrong"):
        staleness.ask_workflow(tmp_path, [])
