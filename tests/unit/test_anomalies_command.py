"""The table of anomalies of a run, and the command that prints it."""

import numpy as np
import pytest
from small_latents import names_of, write_anomalies
from typer.testing import CliRunner

from mangrove import artefacts
from mangrove.cli import app
from mangrove.codes import AnomalyCause, Split
from mangrove.data_model import KINDS
from mangrove.errors import ArtefactError, MangroveError
from mangrove.notebook.latent_space import LatentSpaceResults

VALUE = np.array([[0.5, 4.0], [np.nan, np.nan], [3.0, 1.0], [7.0, 2.0]])
NAMES = names_of(4)["plateifu"]
CAUSE = np.array([0, AnomalyCause.LINE_WITHOUT_DATA, AnomalyCause.SKY_RESIDUAL | AnomalyCause.CROPPED_FIELD, 0])
REASON = np.array(["not unusual", "no data at any line", "NII_6585", "Halpha_6565 in the centre"])
PERCENTILE = np.array([[0.0, 66.7], [np.nan, np.nan], [33.3, 0.0], [66.7, 33.3]])


def path_of(folder):
    return folder / KINDS["anomalies"].path.format(network="ae")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "one"
    split = np.array([Split.TEST, Split.TRAIN, Split.TRAIN, Split.VALIDATION])
    write_anomalies(path_of(folder), VALUE, cause=CAUSE, reason=REASON, percentile=PERCENTILE, split=split)
    return folder


def test_galaxies_are_ranked_by_score(folder):
    """Those without data come last; the ranking by another score is another."""
    found = LatentSpaceResults(folder).anomalies()
    assert found["plateifu"].tolist() == NAMES[[3, 2, 0, 1]].tolist()
    assert found["rank"].tolist() == [1, 2, 3, 4]
    assert found["split"].tolist() == ["validation", "train", "test", "train"]
    np.testing.assert_allclose(found["relative"], VALUE[[3, 2, 0, 1], 0])
    np.testing.assert_allclose(found["published_percentile"], PERCENTILE[[3, 2, 0, 1], 1], rtol=1e-5)
    assert found["reason"].tolist() == REASON[[3, 2, 0, 1]].tolist()
    assert found["causes"].tolist() == ["", "sky_residual, cropped_field", "", "line_without_data"]
    by_other = LatentSpaceResults(folder).anomalies(score="published")
    assert by_other["plateifu"].tolist() == NAMES[[0, 3, 2, 1]].tolist()


def test_what_there_is_not_is_refused_with_what_there_is(folder, tmp_path):
    run = LatentSpaceResults(folder)
    with pytest.raises(ArtefactError, match="no anomaly score 'chi2'; there are relative, published"):
        run.anomalies(score="chi2")
    with pytest.raises(ArtefactError, match="has no autoencoder 'vae'; it has ae"):
        run.anomalies("vae")
    with pytest.raises(ArtefactError, match=r"anomalies\.h5 does not exist: the run has no autoencoder"):
        LatentSpaceResults(tmp_path).anomalies()


def test_run_without_model_says_why(tmp_path):
    write_anomalies(path_of(tmp_path), VALUE)
    stored = artefacts.read(path_of(tmp_path), "anomalies")
    about = {"status": "empty", "reason": "no galaxy to train on", "network": "ae", "model_hash": ""}
    artefacts.write(path_of(tmp_path), "anomalies", stored.data, artefacts.Provenance(), about)
    with pytest.raises(ArtefactError, match="no anomaly scores of 'ae': no galaxy to train on"):
        LatentSpaceResults(tmp_path).anomalies()


def invoke(*arguments):
    return CliRunner().invoke(app, ["anomalies", *map(str, arguments)], env={"COLUMNS": "160"})


def test_command_prints_the_ranking(folder):
    done = invoke(folder)
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.output.splitlines()]
    assert ["rank", "plateifu", "relative", "percentile", "reason", "causes"] in lines
    rows = [line for line in lines if line and line[0] in "1234"]
    assert [row[1] for row in rows] == NAMES[[3, 2, 0, 1]].tolist()
    assert rows[0] == ["1", NAMES[3], "7", "66.7", *REASON[3].split()]
    assert "sky_residual, cropped_field" in done.output
    assert rows[-1][2:] == [*REASON[1].split(), "line_without_data"]


def test_command_takes_number_and_score(folder):
    done = invoke(folder, "-n", 1, "--score", "published")
    rows = [line.split() for line in done.output.splitlines() if line.split()[:1] in (["1"], ["2"])]
    assert [row[1:3] for row in rows] == [[NAMES[0], "4"]]
    assert "most anomalous of 4 galaxies (ae, published)" in done.output


def test_command_refuses_a_run_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = invoke("absent").exception
    assert isinstance(refused, MangroveError)
    assert "neither results/absent nor absent is a folder with artefacts" in str(refused)
