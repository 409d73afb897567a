"""The table of labels of a survey: made block by block, the same whatever their size."""

import numpy as np
import pytest
from attributes import attributes_of
from small_export import fit_data

from mangrove import artefacts
from mangrove.errors import ArtefactError
from mangrove.spectra.labels import survey_labels
from mangrove.spectra.labels.table import galaxy_labels, merge

#: Baxels of the galaxies, some of which have none.
N_BAXEL = (0, 4, 2, 0, 5, 1, 0)


def write_fit(path, number, n_baxel, templates="mastar"):
    """One of several fits, each with so many of the baxels of a small one."""
    fields = artefacts.KINDS["fit"].fields
    data = {
        name: values[:n_baxel] if fields[name].dims[0] == "baxel" else values for name, values in fit_data().items()
    }
    data["v_star"] = data["v_star"] + number
    about = {"plateifu": f"{number}-1901", "mangaid": f"1-{number}", "z": 0.03, "pixel_scale": 0.5}
    attrs = attributes_of("fit", **about, templates=templates, age_limit=False)
    artefacts.write(path, "fit", data, artefacts.Provenance(), attrs)
    return path


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fits")
    return [write_fit(folder / f"{i}.h5", i, n) for i, n in enumerate(N_BAXEL)]


def written(fits, path):
    """The artefact 'labels' of fits, and the numbers of finite values."""
    survey = survey_labels.fitted_survey(fits)
    attrs = survey.outcome | {"templates": survey.templates}
    with artefacts.writer(path, "labels", survey.dims, artefacts.Provenance(), attrs) as out:
        finite = survey_labels.fill(out, survey)
    return artefacts.read(path, "labels"), finite


@pytest.mark.parametrize("block", [1, 3, 6, 1000])
@pytest.mark.parametrize("of_galaxy", [0, 2])
def test_blocks_of_any_size_give_the_table_of_all(fits, tmp_path, monkeypatch, block, of_galaxy):
    monkeypatch.setattr(survey_labels, "BLOCK", block)
    monkeypatch.setattr(survey_labels, "OF_GALAXY", of_galaxy)
    table, finite = written(fits, tmp_path / "labels.h5")
    expected = merge([galaxy_labels(path) for path in fits])
    assert set(table.data) == set(expected) and len(table["galaxy"]) == sum(N_BAXEL)
    for name, values in expected.items():
        stored = values.astype(table[name].dtype)
        np.testing.assert_array_equal(table[name], stored, err_msg=name)
    assert finite["log_age_lw"] == np.isfinite(expected["log_age_lw"]).sum() > 0


def test_no_more_than_a_block_and_a_galaxy_are_in_memory(fits, tmp_path, monkeypatch):
    together = []
    monkeypatch.setattr(survey_labels, "BLOCK", 4)
    monkeypatch.setattr(survey_labels, "OF_GALAXY", 1)
    monkeypatch.setattr(
        survey_labels, "merge", lambda some: together.append([len(g.columns["status"]) for g in some]) or merge(some)
    )
    written(fits, tmp_path / "labels.h5")
    assert sum(map(sum, together)) == sum(N_BAXEL) and len(together) > 1
    assert all(sum(some) + len(some) <= 4 + max(N_BAXEL) + 1 for some in together)


def test_a_survey_without_baxels_says_so(tmp_path):
    fits = [write_fit(tmp_path / f"{i}.h5", i, 0) for i in range(2)]
    table, _ = written(fits, tmp_path / "labels.h5")
    assert (table.attrs["status"], table.attrs["reason"]) == ("empty", "no galaxy has a baxel")
    assert list(table["plateifu"]) == ["0-1901", "1-1901"] and table["galaxy"].size == 0


def test_two_libraries_are_refused_before_any_label_is_made(fits, tmp_path):
    other = write_fit(tmp_path / "other.h5", 8, 1, templates="emiles.h5")
    with pytest.raises(ArtefactError, match="0-1901 and 8-1901 used different template libraries, 'mastar' and 'emi"):
        survey_labels.fitted_survey([*fits, other])
