"""The anomalies of a run: from line cubes and a model to the artefact."""

from types import SimpleNamespace

import numpy as np
import pytest
from reconstructed_cubes import SIDE, disc, reconstructed
from small_autoencoder import small_autoencoder, small_cubes, write_line_cubes

from mangrove import artefacts
from mangrove.analysis import anomaly_run
from mangrove.analysis.anomaly_scores import SCORES
from mangrove.codes import AnomalyCause, Split
from mangrove.models.convlstm.cubes import Cubes, LineCubes
from mangrove.models.training import model_folder

#: One galaxy has no data, one lacks a line, one has light off its centre that the model does not know.
N, NO_DATA, NO_LINE, ODD = 40, 3, 5, 8
SPLIT = np.array([Split.TRAIN] * 8 + [Split.TEST, Split.VALIDATION]).repeat(4)


def galaxies():
    """Cubes of the galaxies, and what a model makes of them."""
    extra = np.zeros((N, 1, 1, SIDE, SIDE))
    extra[ODD] = 0.4 * disc(-2.5, 1.5, 0.5)
    cubes = reconstructed(N, extra=extra)
    valid = cubes.valid.copy()
    valid[NO_DATA], valid[NO_LINE, 1] = False, False
    return Cubes(cubes.flux * valid, cubes.ivar * valid, valid), cubes.reconstruction


class Reconstructions:
    """A model that knows its reconstructions beforehand, by the cubes."""

    def __init__(self, cubes, reconstruction):
        self.known = {flux.tobytes(): image for flux, image in zip(cubes.flux, reconstruction, strict=True)}

    def reconstruct(self, cubes):
        return np.stack([self.known[np.ascontiguousarray(flux).tobytes()] for flux in cubes.flux])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The datasets, six reconstructions kept."""
    cubes, reconstruction = galaxies()
    path = write_line_cubes(tmp_path_factory.mktemp("cubes") / "set.h5", cubes, SPLIT)
    return anomaly_run.anomalies(LineCubes.open(path), Reconstructions(cubes, reconstruction), 6)


def test_odd_galaxy_is_first_and_the_reason_says_where(found):
    assert found["rank"][ODD] == 0
    assert "off the centre, at (x, y) = (-3, +1) spaxels" in found["reason"][ODD]
    place = np.unravel_index(np.nanargmax(found["spaxel_score"][ODD]), (SIDE, SIDE))
    assert place == (7, 3)


def test_galaxy_without_data_is_last(found):
    assert found["rank"][NO_DATA] == N - 1
    assert found["reason"][NO_DATA] == "no data at any line"
    for name in ("value", "percentile", "line_value", "line_percentile", "spaxel_score"):
        assert np.all(np.isnan(found[name][NO_DATA]))


def test_line_without_data_is_a_cause_and_named(found):
    named = (found["cause"] & AnomalyCause.LINE_WITHOUT_DATA) > 0
    assert np.flatnonzero(named).tolist() == [NO_DATA, NO_LINE]
    cropped = (found["cause"] & AnomalyCause.CROPPED_FIELD) > 0
    assert not cropped.any(), "the field is whole where the network's lines have no data"
    assert "; no data at OIII_5008" in found["reason"][NO_LINE]
    assert np.all(np.isnan(found["line_percentile"][NO_LINE, :, 1]))
    assert np.all(np.isfinite(found["line_percentile"][NO_LINE, :, [0, 2]]))


def test_percentiles_are_of_galaxies_with_a_lower_score(found):
    """Of all scores, and of every line by itself."""
    for name, percentile in (("value", "percentile"), ("line_value", "line_percentile")):
        values = found[name].reshape(N, -1)
        for column, given in zip(values.T, found[percentile].reshape(N, -1).T, strict=True):
            some = np.isfinite(column)
            by_hand = [100 * np.mean(column[some] < value) for value in column[some]]
            np.testing.assert_allclose(given[some], by_hand)


def test_ranks_follow_the_recommended_score(found):
    value = found["value"][:, SCORES.index("relative")][np.argsort(found["rank"])]
    assert np.all(np.diff(value[: N - 1]) <= 0)
    assert sorted(found["rank"]) == list(range(N))


def test_typical_and_anomalous_galaxies_are_shown(found):
    """Half of them in the middle of the ranking, then the first of it; their reconstructions are the model's."""
    assert sorted(found["rank"][found["shown"][3:]]) == [0, 1, 2]
    assert np.all(np.abs(found["rank"][found["shown"][:3]] - (N - 2) / 2) < 3)
    np.testing.assert_array_equal(found["reconstruction"], galaxies()[1][found["shown"]])


@pytest.mark.parametrize(("n", "n_shown"), [(0, 0), (1, 1), (5, 5), (100, 8)])
def test_few_galaxies_are_shown_once(n, n_shown):
    """None twice, none without a score."""
    values = np.array([3.0, np.nan, 1.0, 2.0, 5.0, 4.0, 0.0, 7.0, 6.0])
    shown = anomaly_run.typical_and_highest(values, n)
    assert len(set(shown)) == len(shown) == n_shown
    assert 1 not in shown


def test_line_that_no_galaxy_has_leaves_a_result(tmp_path):
    """Enough unseen galaxies that their expected errors vary with the share of the noise."""
    cubes = reconstructed(n := 45)
    valid = cubes.valid.copy()
    valid[:, 1] = False
    given = Cubes(cubes.flux * valid, cubes.ivar * valid, valid)
    path = write_line_cubes(tmp_path / "set.h5", given, np.full(n, Split.TEST))
    found = anomaly_run.anomalies(LineCubes.open(path), Reconstructions(given, cubes.reconstruction), 6)
    assert np.all(np.isfinite(found["value"]))
    assert np.all(np.isnan(found["line_value"][..., 1]))
    assert np.all(found["cause"] & AnomalyCause.LINE_WITHOUT_DATA)


def test_expected_errors_come_from_galaxies_outside_the_training_set(tmp_path):
    """Where there are ten; residuals of the others, here without any error, count only where there are fewer."""
    cubes, reconstruction = galaxies()
    for n, missed in ((12, True), (3, False)):
        split = np.array([Split.VALIDATION] * n + [Split.TRAIN] * (N - n))
        own = np.where((split == Split.VALIDATION)[:, None, None, None, None], reconstruction, cubes.flux)
        path = write_line_cubes(tmp_path / f"{n}.h5", cubes, split)
        expected = anomaly_run.expected_errors(LineCubes.open(path), Reconstructions(cubes, own))
        assert bool(np.all(expected.error > 0)) is missed


def run_script(script, folder, cubes):
    """Run the script of the rule on cubes and the model in ``folder``/model; gives the artefact."""
    path = write_line_cubes(folder / "set.h5", cubes)
    model = folder / "model"
    inputs = SimpleNamespace(line_cube_set=path, description=model / "model.json", arrays=model / "arrays.npz")
    outputs = SimpleNamespace(anomalies=folder / "anomalies.h5")
    params = {"network": "ae", "n_reconstruction": 4}
    script("anomalies").main(inputs, outputs, params, folder / "log")
    return artefacts.read(outputs.anomalies, "anomalies")


def test_script_writes_the_artefact_of_a_network(script, tmp_path):
    small_autoencoder().save(tmp_path / "model")
    found = run_script(script, tmp_path, small_cubes(8))
    assert found.ok
    assert found.attrs["network"] == "ae"
    assert found["score"].tolist() == list(SCORES)
    assert np.all(np.isfinite(found["value"]))
    assert found["reconstruction"].shape == (4, *small_cubes(1).flux.shape[1:])


def test_script_writes_an_empty_artefact_without_a_model(script, tmp_path):
    model_folder.save_empty(tmp_path / "model", "no galaxy to train on", {})
    found = run_script(script, tmp_path, small_cubes(3))
    assert (found.attrs["status"], found.attrs["reason"]) == ("empty", "no galaxy to train on")
    assert np.all(np.isnan(found["value"]))
    assert found["reconstruction"].shape[0] == 0
