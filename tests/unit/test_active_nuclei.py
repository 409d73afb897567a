"""The table of active nuclei: flags of the sheet, order, neighbours, groups, and places in the BPT diagram."""

import numpy as np
import pytest
from attributes import attributes_of
from small_export import random_data
from small_latents import MODEL, latents_in_groups, names_of, write_anomalies, write_neighbours

from mangrove import artefacts
from mangrove.analysis.active_nuclei import bpt_places
from mangrove.codes import BptClass, LabelFlag
from mangrove.physics.bpt import BPT_LINES
from mangrove.survey.sample import Galaxy, write_sheet

N = 8
#: Scores by galaxy: the third is the most anomalous, the last has no data.
VALUE = np.array([[3.0, 0.1], [1.0, 0.2], [9.0, 0.3], [4.0, 0.4], [5.0, 0.5], [2.0, 0.6], [6.0, 0.7], [np.nan] * 2])
NUCLEI = {
    0: {"agn_wise": 1, "agn_bat": 0},
    2: {"agn_radio": 1, "radio_class": "LERG"},
    4: {"agn_wise": 1, "agn_broad": 1},
}


def write_inputs(folder, nuclei=NUCLEI):
    """Anomalies, neighbours and the sheet, whose rows lie in another order."""
    write_anomalies(folder / "anomalies.h5", VALUE)
    write_neighbours(folder / "neighbours.h5", latents_in_groups(N)[0])
    names = names_of(N)
    rows = [
        Galaxy(plateifu, mangaid, 0.03, 0.02, 150.0 + (i % (N - 1)), 20.0, **nuclei.get(i, {"agn_wise": 0}))
        for i, (plateifu, mangaid) in enumerate(zip(names["plateifu"].tolist(), names["mangaid"].tolist(), strict=True))
    ]
    write_sheet(folder / "sheet.tsv", rows[::-1])


def write_labels(path, flux, galaxy, plateifu, n_spaxel=None, flag=None):
    """The artefact 'labels' of baxels with the four lines (order of BPT_LINES), errors 1 % of Hbeta."""
    given = {"line": np.array(BPT_LINES), "line_flux": flux, "line_flux_err": np.full(flux.shape, 0.01)}
    given |= {"galaxy": np.array(galaxy), "plateifu": np.array(plateifu), "mangaid": np.array(plateifu)}
    given["n_spaxel"] = np.ones(len(flux)) if n_spaxel is None else np.array(n_spaxel)
    given["d_bpt_flag"] = np.zeros(len(flux), np.uint32) if flag is None else np.array(flag, np.uint32)
    sizes = {"plateifu": len(plateifu), "row": len(flux), "line": 4, "spaxel_status": 5}
    artefacts.write(
        path, "labels", random_data("labels", sizes, **given), artefacts.Provenance(), attributes_of("labels")
    )


def baxel(log_nii_ha, log_oiii_hb, halpha=3.0):
    """Fluxes of the four lines at a place in the diagram, Hbeta a third of Halpha."""
    return [halpha * 10**log_nii_ha, halpha, halpha / 3 * 10**log_oiii_hb, halpha / 3]


@pytest.fixture
def run(tmp_path, script, Params):
    def call(labels=(), own_files=False):
        files = {name: str(tmp_path / f"{name}.h5") for name in ("anomalies", "neighbours")}
        inputs = Params(files | {"labels": labels, "sheet": str(tmp_path / "sheet.tsv")})
        outputs = Params(agn=str(tmp_path / "agn.h5"))
        script("agn").main(inputs, outputs, Params(own_files=own_files, active="hash"))
        return artefacts.read(outputs.agn, "agn")

    return call


def test_the_most_anomalous_come_first_with_the_flags_of_the_sheet(run, tmp_path):
    write_inputs(tmp_path)
    found = run()
    names = names_of(N)["plateifu"]
    assert found["galaxy"].tolist() == [2, 4, 0] and found["plateifu"].tolist() == names[[2, 4, 0]].tolist()
    assert found["agn_wise"].tolist() == [-1, 1, 1] and found["agn_bat"].tolist() == [-1, -1, 0]
    assert found["agn_radio"].tolist() == [1, -1, -1] and found["agn_broad"].tolist() == [-1, 1, -1]
    assert found["radio_class"].tolist() == ["LERG", "", ""]
    np.testing.assert_array_equal(found["value"], VALUE[[2, 4, 0]].astype(np.float32))
    assert found["percentile"][0, 0] > found["percentile"][1, 0] > found["percentile"][2, 0]
    assert found.attrs["model_hash"] == MODEL and found.attrs["network"] == "ae"


def test_neighbours_have_names_and_none_is_made_up(run, tmp_path):
    write_inputs(tmp_path)
    index = np.full((N, 3), -1)
    index[2, :2] = [5, 0]
    write_neighbours(tmp_path / "neighbours.h5", latents_in_groups(N)[0], latent_neighbour=index)
    names = names_of(N)["plateifu"]
    assert run()["neighbour_name"][0].tolist() == [names[5], names[0], ""]


def test_groups_have_the_percentiles_of_their_members(run, tmp_path):
    write_inputs(tmp_path)
    found = run()
    assert found["group"].tolist() == ["all", "agn", "agn_wise", "agn_bat", "agn_radio", "agn_broad"]
    assert found["group_size"].tolist() == [8, 3, 2, 0, 1, 1]
    assert found["group_median"][:, 0].tolist()[:3] == [4.0, 5.0, 4.0], "the galaxy without data has no score"
    assert found["group_upper"][0, 0] == pytest.approx(np.percentile([3, 1, 9, 4, 5, 2, 6], 95))
    assert np.isnan(found["group_median"][3]).all() and found["group_upper"][4].tolist() == [9.0, np.float32(0.3)]


def test_a_sample_without_active_nuclei_gives_an_empty_table(run, tmp_path):
    write_inputs(tmp_path, nuclei={})
    found = run()
    assert found.attrs["reason"] == "the sample sheet flags none of the 8 galaxies as an active nucleus"
    assert len(found["plateifu"]) == 0 and found["neighbour_name"].shape == (0, 3)
    assert found["group_size"].tolist() == [8, 0, 0, 0, 0, 0] and found["group_median"][0, 0] == 4.0


def test_a_sheet_that_lacks_a_galaxy_is_refused(run, tmp_path):
    write_inputs(tmp_path)
    names = names_of(N)
    write_sheet(tmp_path / "sheet.tsv", [Galaxy(str(names["plateifu"][0]), "1-0", 0.03, 0.02, 150.0, 20.0)])
    with pytest.raises(SystemExit, match=r"does not list 8000-1902, .* and 2 more, of which this run has data"):
        run()


def test_places_in_the_diagram_come_from_the_labels(run, tmp_path):
    write_inputs(tmp_path)
    names = names_of(N)["plateifu"]
    flux = np.array([baxel(0.1, 0.9), baxel(-0.5, 0.0, 1.0), baxel(-0.1, 0.5)])
    write_labels(tmp_path / "labels.h5", flux, [1, 1, 0], [str(names[4]), str(names[2])])
    found = run(labels=str(tmp_path / "labels.h5"))
    # Galaxy 2 has two baxels, of Halpha 3 and 1; galaxy 4 has one, galaxy 0 none.
    np.testing.assert_allclose(found["log_nii_ha"], [(3 * 0.1 - 0.5) / 4, -0.1, np.nan], rtol=1e-5)
    np.testing.assert_allclose(found["log_oiii_hb"], [3 * 0.9 / 4, 0.5, np.nan], rtol=1e-5)
    assert found["bpt_class"].tolist() == [BptClass.SEYFERT, BptClass.SEYFERT, BptClass.NONE]
    assert np.isnan(run()["log_nii_ha"]).all(), "a run without baxels"


def test_baxels_count_by_their_flux_and_only_good_ones(tmp_path):
    """Fluxes are per spaxel: a baxel of 4 spaxels counts four times."""
    flux = np.array([baxel(0.0, 1.0), baxel(-0.4, 0.2), baxel(2.0, 2.0), baxel(2.0, 2.0), baxel(0.0, 1.0)])
    flux[2, 3], flux[3, 2] = 0.015, np.nan  # Hbeta below 2 sigma; [OIII] not measured
    flag = [0, LabelFlag.NOT_ONE_GAUSSIAN, 0, 0, LabelFlag.POOR_FIT]
    write_labels(tmp_path / "l.h5", flux, [0] * 5, ["8000-1901"], n_spaxel=[1, 4, 1, 1, 1], flag=flag)
    found = bpt_places(artefacts.read(tmp_path / "l.h5", "labels"), np.array(["8000-1901", "8000-1902"]))
    np.testing.assert_allclose(found.log_nii_ha, [4 * -0.4 / 5, np.nan], rtol=1e-5)
    np.testing.assert_allclose(found.log_oiii_hb, [(1.0 + 4 * 0.2) / 5, np.nan], rtol=1e-5)
