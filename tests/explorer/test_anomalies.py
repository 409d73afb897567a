"""The view of anomalies: what it shows, and that it does not break."""

import json
import shlex

import h5py
import numpy as np
import pytest
from plotly.utils import PlotlyJSONEncoder
from small_explored import cube_run
from typer.testing import CliRunner

from mangrove.cli import app as cli
from mangrove.codes import AnomalyCause
from mangrove.explorer import anomaly_cloud
from mangrove.explorer.address import Address
from mangrove.explorer.alike_galaxies import galaxies_alike
from mangrove.explorer.anomaly_choice import choice_of, code_of
from mangrove.explorer.anomaly_parts import map_figures, moved_marks, placed_table
from mangrove.explorer.anomaly_rows import PAGE, RowChoice, chosen_rows, row_page
from mangrove.explorer.app import page_at
from mangrove.explorer.downloads import csv_text, fits_bytes
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.score_histogram import counts, score_edges
from mangrove.explorer.scored_galaxies import field_masses, networks, scored_galaxies
from mangrove.explorer.views.anomalies import ANOMALIES
from mangrove.physics.cosmology import kpc_per_arcsec

FLAGS = ("agn_wise", "agn_bat", "agn_radio", "agn_broad")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return cube_run(tmp_path_factory.mktemp("cubes"), n=45, n_agn=9)


@pytest.fixture(scope="module")
def run(folder):
    return ExploredRun(folder)


@pytest.fixture(scope="module")
def stored(folder):
    """The datasets of the artefact 'anomalies'."""
    with h5py.File(folder / "autoencoder" / "ae" / "anomalies.h5") as f:
        return {name: f[name].asstr()[...] if f[name].dtype.kind == "O" else f[name][...] for name in f}


def rows_of(run, **query):
    scored, choice = choice_of(run, Address("/anomalies", query))
    return chosen_rows(scored, RowChoice.of(Address("/anomalies", query)), choice.score)


def text_of(page) -> str:
    return json.dumps(page, cls=PlotlyJSONEncoder)


def test_galaxies_come_by_the_recommended_score_first(run, stored):
    assert rows_of(run).tolist() == np.argsort(-stored["value"][:, 0], kind="stable").tolist()


@pytest.mark.parametrize("score", ["published", "flux_normalised", "noise_weighted"])
def test_another_score_orders_them_anew(run, stored, score):
    value = stored["value"][:, stored["score"].tolist().index(score)]
    assert rows_of(run, score=score, order="rising").tolist() == np.argsort(value, kind="stable").tolist()


def test_rows_are_ordered_by_name_and_redshift(run, stored, folder):
    assert rows_of(run, sort="galaxy").tolist() == np.argsort(stored["plateifu"]).tolist()
    with h5py.File(folder / "spectra" / "line_cube_set.h5") as f:
        assert rows_of(run, sort="z").tolist() == np.argsort(-f["z"][...], kind="stable").tolist()


def test_an_unknown_value_comes_last_in_either_order(run):
    scored = scored_galaxies(run, "ae")
    lost = scored._replace(value=np.where(np.arange(45)[:, None] == 7, np.nan, scored.value))
    for order in ("rising", "falling"):
        choice = RowChoice.of(Address("/anomalies", {"order": order}))
        assert chosen_rows(lost, choice, "relative")[-1] == 7


def test_rows_are_found_by_word_cause_and_nucleus(run, stored, folder):
    word = stored["plateifu"][5]
    assert rows_of(run, find=word.upper()).tolist() == [5]
    assert set(rows_of(run, find="4 SPAXELS")) == {k for k in range(45) if "4 spaxels" in stored["reason"][k]}
    assert set(rows_of(run, cause="cropped_field")) == set(
        np.flatnonzero(stored["cause"] & AnomalyCause.CROPPED_FIELD.value)
    )
    assert set(rows_of(run, cause="none")) == set(np.flatnonzero(stored["cause"] == 0))
    with h5py.File(folder / "autoencoder" / "ae" / "agn.h5") as f:
        assert set(rows_of(run, agn="agn")) == set(f["galaxy"][...])
        for flag in FLAGS:
            assert set(rows_of(run, agn=flag)) == set(f["galaxy"][...][f[flag][...] == 1])


def test_pages_hold_every_row_once_and_the_last_page_is_the_last(run):
    scored = scored_galaxies(run, "ae")
    choices = [RowChoice.of(Address("/anomalies", {"page": str(k)})) for k in range(3)]
    pages = [row_page(scored, choice, "relative") for choice in choices]
    assert [len(page.rows) for page in pages] == [PAGE, PAGE, 45 - 2 * PAGE]
    assert np.concatenate([page.rows for page in pages]).tolist() == rows_of(run).tolist()
    beyond = row_page(scored, choices[0]._replace(page=99), "relative")
    assert beyond.page == 2 and beyond.rows.tolist() == pages[2].rows.tolist()


def test_neighbours_are_those_of_the_artefact(run, folder):
    with h5py.File(folder / "autoencoder" / "ae" / "neighbours.h5") as f:
        for space in ("latent", "umap"):
            alike = galaxies_alike(run, "ae", space, 11)
            assert alike.galaxy.tolist() == f[f"{space}_neighbour"][11].tolist()
            assert alike.distance.tolist() == f[f"{space}_distance"][11].tolist()


@pytest.mark.parametrize("n_axis", [2, 3])
def test_points_lie_where_the_map_says_and_have_their_scores(run, stored, folder, n_axis):
    scored = scored_galaxies(run, "ae")
    cloud = anomaly_cloud.cloud_of(run, "ae")
    marks = anomaly_cloud.Marks(4, np.array([8, 9]))
    figure = anomaly_cloud.cloud_figure(cloud, scored, "score", "published", marks, n_axis)
    points = figure.data[2]
    with h5py.File(folder / "autoencoder" / "ae" / "embedding.h5") as f:
        place = f[f"umap_{n_axis}d"][...]
    rows = list(points.customdata)
    assert sorted(rows) == list(range(45))
    for letter, values in zip("xyz", place.T, strict=False):
        assert points[letter].tolist() == values[rows].tolist()
    assert points.marker.color.tolist() == stored["value"][rows, 1].tolist()
    assert [list(trace.customdata) for trace in figure.data[:2]] == [[8, 9], [4]]
    for letter, values in zip("xyz", place.T, strict=False):
        assert figure.data[0][letter].tolist() == values[[8, 9]].tolist()


def test_another_galaxy_moves_the_rings_alone(run):
    scored, choice = choice_of(run, Address("/anomalies", {"galaxy": scored_galaxies(run, "ae").plateifu[7]}))
    patches, figures = moved_marks(run, scored, choice), map_figures(run, scored, choice)
    assert figures[2] == patches[2] and choice.selected == 7
    for patch, figure in zip(patches[:2], figures[:2], strict=True):
        changes = patch.to_plotly_json()["operations"]
        assert [change["location"] for change in changes] == [["data", 0], ["data", 1]]
        assert [change["params"]["value"] for change in changes] == list(figure.data[:2])
        assert list(figure.data[1].customdata) == [7] and len(figure.data[0].customdata) > 1


def test_active_nuclei_have_a_mark_for_each_class(run, folder):
    scored = scored_galaxies(run, "ae")
    none = anomaly_cloud.Marks(None, np.empty(0, int))
    figure = anomaly_cloud.cloud_figure(anomaly_cloud.cloud_of(run, "ae"), scored, "agn", "relative", none, 2)
    with h5py.File(folder / "autoencoder" / "ae" / "agn.h5") as f:
        for trace, flag in zip(figure.data[3:], FLAGS, strict=True):
            assert set(trace.customdata) == set(f["galaxy"][...][f[flag][...] == 1])


def test_without_umap_there_are_components_and_the_page_says_so(tmp_path):
    run = ExploredRun(cube_run(tmp_path, n=8, n_agn=0, umap=False))
    cloud = anomaly_cloud.cloud_of(run, "ae")
    with h5py.File(run.folder / "autoencoder" / "ae" / "embedding.h5") as f:
        assert np.array_equal(cloud.places.in_3d, f["principal"][:, :3])
    page = text_of(page_at(run, Address("/anomalies", {"colour": "agn"})))
    assert "Too few galaxies for UMAP" in page and "component 1" in page


def test_the_histogram_counts_every_galaxy_once(stored):
    for value in stored["value"].T:
        edges = score_edges(value)
        assert (np.diff(edges) > 0).all()
        assert counts(value, edges).sum() == np.isfinite(value).sum()
    assert (np.diff(score_edges(np.full(3, 2.0))) > 0).all()
    assert counts(np.full(3, np.nan), score_edges(np.full(3, np.nan))).sum() == 0


@pytest.mark.parametrize(
    "query",
    [
        {"network": "gan", "score": "best", "colour": "pink", "space": "time", "galaxy": "nobody"},
        {"page": "-1", "sort": "'; drop", "order": "sideways", "cause": "aliens", "agn": "2"},
        {"page": "9" * 30, "find": "<script>alert(1)</script>", "galaxy": "\x00"},
        {"find": "no such word"},
    ],
)
def test_nonsense_in_the_address_is_ignored(run, query):
    page = text_of(page_at(run, Address("/anomalies", query)))
    assert "anomalies-cloud" in page


def test_the_selected_galaxy_is_described_with_its_neighbours(run, stored):
    name = stored["plateifu"][11]
    page = text_of(page_at(run, Address("/anomalies", {"galaxy": name})))
    assert f"/galaxy/{name}" in page and stored["reason"][11] in page
    for k in galaxies_alike(run, "ae", "latent", 11).galaxy:
        assert f"/galaxy/{stored['plateifu'][k]}" in page


def test_a_run_without_autoencoder_says_what_to_do(tmp_path):
    page = text_of(page_at(ExploredRun(tmp_path), Address("/anomalies")))
    assert "autoencoder.enabled" in page and "anomalies-cloud" not in page
    assert ANOMALIES.missing(ExploredRun(tmp_path))


def test_parts_that_a_run_lacks_are_left_out(tmp_path):
    folder = cube_run(tmp_path, networks=("vae",), n=8, n_agn=2)
    for name in ("agn", "neighbours", "embedding"):
        (folder / "autoencoder" / "vae" / f"{name}.h5").unlink()
    (folder / "spectra" / "line_cube_set.h5").unlink()
    run = ExploredRun(folder)
    assert networks(run) == ["vae"]
    scored = scored_galaxies(run, "vae")
    assert scored.agn is None and scored.z is None and scored.log_mass is None
    assert anomaly_cloud.colour_choices(scored) == ["score", "percentile"]
    name = str(scored.plateifu[2])
    page = text_of(page_at(run, Address("/anomalies", {"galaxy": name, "agn": "agn", "sort": "mass", "colour": "z"})))
    assert "no map of these latents" in page and "no neighbours" in page and name in page


def test_the_table_for_downloads_has_the_numbers_and_units(run, stored):
    table = scored_galaxies(run, "ae").table(np.array([3, 44]))
    assert table["plateifu"].tolist() == stored["plateifu"][[3, 44]].tolist()
    assert table["published"].tolist() == stored["value"][[3, 44], 1].tolist()
    assert table["relative_percentile"].tolist() == stored["percentile"][[3, 44], 0].tolist()
    assert "erg" in str(table["published"].unit) and table["relative"].unit is None


def test_a_selection_has_the_places_on_the_map(run, folder):
    scored, choice = choice_of(run, Address("/anomalies"))
    table = placed_table(run, scored, choice, np.array([3, 44]))
    with h5py.File(folder / "autoencoder" / "ae" / "embedding.h5") as f:
        assert table["umap_3d_3"].tolist() == f["umap_3d"][...][[3, 44], 2].tolist()
        assert table["umap_2d_1"].tolist() == f["umap_2d"][...][[3, 44], 0].tolist()
    assert len(csv_text(table).splitlines()) == 3 and fits_bytes(table)


def test_a_galaxy_without_a_score_has_an_unknown_one_under_the_pointer(run):
    scored, choice = choice_of(run, Address("/anomalies"))
    value, percentile = scored.value.copy(), scored.percentile.copy()
    value[3] = percentile[3] = np.nan
    cloud, marks = anomaly_cloud.cloud_of(run, "ae"), anomaly_cloud.Marks(None, np.empty(0, int))
    unknown = scored._replace(value=value, percentile=percentile)
    figure = anomaly_cloud.cloud_figure(cloud, unknown, "score", choice.score, marks, 2)
    said = [text for trace in figure.data for text in trace.text]
    assert f"{scored.plateifu[3]}<br>score unknown" in said and not any("nan" in text for text in said)


def test_masses_are_the_sums_over_the_baxels(explored, demo_run):
    found = field_masses(explored)
    with h5py.File(demo_run / "spectra" / "labels.h5") as f:
        names, z = f["plateifu"].asstr()[...], f["z"][...]
        for k in (0, 3, 9):
            own = f["galaxy"][...] == k
            density, area = f["log_mass_density"][...][own], f["area"][...][own]
            mass = np.nansum(10.0 ** density.astype(float) * area) * kpc_per_arcsec(z[k]) ** 2
            assert found[names[k]] == pytest.approx(np.log10(mass), abs=1e-6) if mass else np.isnan(found[names[k]])


def test_the_lines_and_commands_give_the_same_numbers(explored):
    address = Address("/anomalies", {"score": "published", "galaxy": explored.galaxies[1]})
    scored, choice = choice_of(explored, address)
    python, commands = code_of(explored, choice, scored)
    assert json.dumps(python) in text_of(page_at(explored, address))
    names = {}
    exec(python, names)
    assert names["galaxies"]["plateifu"].tolist() == scored.plateifu[rows_of(explored, score="published")].tolist()
    near = galaxies_alike(explored, "ae", "latent", choice.selected)
    assert names["alike"]["plateifu"].tolist() == scored.plateifu[near.galaxy].tolist()
    first = scored.plateifu[rows_of(explored, score="published")[0]]
    for command, name in zip(commands.splitlines(), (first, scored.plateifu[near.galaxy[0]]), strict=True):
        done = CliRunner().invoke(cli, shlex.split(command)[1:])
        assert done.exit_code == 0 and name in done.output
