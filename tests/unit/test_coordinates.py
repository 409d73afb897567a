"""Every kind of artefact opened by xarray alone: dimensions named after their coordinates, selection by value."""

import h5py
import numpy as np
import pytest
import xarray as xr
from attributes import attributes_of

from mangrove import artefacts
from mangrove.data_model import KINDS
from mangrove.models.emulator.emission_lines import LINES as EMULATOR_LINES
from mangrove.physics.lines import fit_lines, window_lines

LINES = np.array(fit_lines().name[-6:])
SIZES = {
    "line": len(LINES),
    "wave": 40,
    "plateifu": 3,
    "band": 4,
    "component": 3,
    "fraction": 3,
    "label": 3,
    "quantile": 3,
    "pca_component": 3,
    "morphology": 3,
    "score": 3,
    "shown": 3,
    "seed": 3,
    "group": 3,
    "model": 3,
    "planted": 3,
    "space": 3,
    "baseline": 3,
    "baxel": 5,
    "row": 7,
    "spaxel_y": 6,
    "spaxel_x": 4,
}
COORDINATES = {
    "line": LINES,
    "wave": np.geomspace(4990.0, 5010.0, 40),
    "plateifu": np.array(["8485-1901", "8485-1902", "7443-12703"]),
    "band": np.array(["g", "r", "i", "z"]),
    "component": np.array(["one", "two", "broad"]),
    "fraction": np.array([0.1, 0.5, 1.0]),
    "label": np.array(["log_age_lw", "ebv_star", "log_ssfr"]),
    "quantile": np.array([0.16, 0.5, 0.84]),
    "pca_component": np.array([1, 16, 256]),
    "morphology": np.array(["E", "S0", "Sa"]),
    "score": np.array(["relative", "published", "noise_weighted"]),
    "shown": np.array([4, 0, 7]),
    "seed": np.array([1, 2, 3]),
    "group": np.array(["all", "agn", "agn_wise"]),
    "model": np.array(["ae", "vae", "pca"]),
    "planted": np.array(["double_nucleus", "offset_agn", "blueberry"]),
    "space": np.array(["latent", "invariant", "umap"]),
    "baseline": np.array(["pca", "pca_turned", "nmf"]),
}


def datasets(kind, sizes=SIZES):
    """Random values for all datasets of a kind; the coordinates are those above."""
    rng = np.random.default_rng(0)
    data = {}
    for name, field in KINDS[kind].fields.items():
        shape = tuple(sizes.get(dim, 2) for dim in field.dims)
        numbers = rng.normal(size=shape) if field.dtype.startswith("f") else rng.integers(0, 4, shape)
        data[name] = np.full(shape, "text") if field.dtype == "str" else numbers.astype(field.dtype)
        if field.dims == (name,):
            data[name] = COORDINATES[name][: shape[0]]
    return data


def written(path, kind, block_wise, sizes=SIZES):
    """An artefact of a kind, written at once or into an open writer."""
    data = datasets(kind, sizes)
    if not block_wise:
        artefacts.write(path, kind, data, artefacts.Provenance(), attributes_of(kind))
        return path
    dims = {d: n for name, f in KINDS[kind].fields.items() for d, n in zip(f.dims, data[name].shape, strict=True)}
    with artefacts.writer(path, kind, dims, artefacts.Provenance(), attributes_of(kind)) as out:
        for name, values in data.items():
            for i in range(len(values)):
                out[name][i] = values[i]
    return path


@pytest.fixture(params=[False, True], ids=["at once", "block-wise"])
def block_wise(request):
    return request.param


@pytest.mark.parametrize("kind", KINDS)
def test_dimensions_are_the_declared_ones_and_values_are_found_by_coordinate(tmp_path, kind, block_wise):
    data, fields = datasets(kind), KINDS[kind].fields
    own = {dim for field in fields.values() for dim in field.dims} & set(fields)
    with xr.open_dataset(written(tmp_path / "x.h5", kind, block_wise)) as found:
        assert {name: found[name].dims for name in fields} == {name: field.dims for name, field in fields.items()}
        assert set(found.variables) == set(fields)
        assert set(found.indexes) == own
        for dim in own:
            for i in (0, 2):
                one = found.sel({dim: COORDINATES[dim][i]})
                for name in (n for n, f in fields.items() if dim in f.dims):
                    np.testing.assert_array_equal(one[name], data[name].take(i, axis=fields[name].dims.index(dim)))


@pytest.mark.parametrize("kind", [kind for kind, k in KINDS.items() if "wave" in k.fields])
def test_the_wavelength_nearest_to_5000(tmp_path, kind, block_wise):
    data = datasets(kind)
    name, field = next((n, f) for n, f in KINDS[kind].fields.items() if "wave" in f.dims and len(f.dims) > 1)
    nearest = np.argmin(np.abs(COORDINATES["wave"] - 5000.0))
    with xr.open_dataset(written(tmp_path / "x.h5", kind, block_wise)) as found:
        one = found.sel(wave=5000, method="nearest")
        assert float(one.wave) == COORDINATES["wave"][nearest]
        np.testing.assert_array_equal(one[name], data[name].take(nearest, axis=field.dims.index("wave")))


@pytest.mark.parametrize("kind", [kind for kind, k in KINDS.items() if "line" in k.fields])
def test_a_line_by_its_name(tmp_path, kind, block_wise):
    data = datasets(kind)
    i = list(LINES).index("Halpha_6565")
    of_lines = {n: f.dims.index("line") for n, f in KINDS[kind].fields.items() if "line" in f.dims and n != "line"}
    assert of_lines
    with xr.open_dataset(written(tmp_path / "x.h5", kind, block_wise)) as found:
        one = found.sel(line="Halpha_6565")
        for name, axis in of_lines.items():
            np.testing.assert_array_equal(one[name], data[name].take(i, axis=axis))


@pytest.mark.parametrize("kind", KINDS)
def test_dimensions_carry_no_counts_in_their_names(kind):
    """What lies along an axis has one name everywhere: two names for one thing would not align."""
    dims = {dim for field in KINDS[kind].fields.values() for dim in field.dims}
    assert not [dim for dim in dims if dim.startswith("n_") or dim in ("nx", "ny")]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_inputs_give_equal_bytes_and_both_ways_of_writing_equal_content(tmp_path, kind):
    twice = [written(tmp_path / f"{i}.h5", kind, False) for i in range(2)]
    assert twice[0].read_bytes() == twice[1].read_bytes()
    blocks = artefacts.read(written(tmp_path / "blocks.h5", kind, True), kind)
    whole = artefacts.read(twice[0], kind)
    assert blocks.content_hash == whole.content_hash
    for name in whole.data:
        np.testing.assert_array_equal(blocks[name], whole[name])


@pytest.mark.parametrize("kind", KINDS)
def test_artefacts_without_rows_open_as_well(tmp_path, kind, block_wise):
    empty = SIZES | dict.fromkeys(("baxel", "row", "plateifu", "band", "object", "test", "candidate"), 0)
    with xr.open_dataset(written(tmp_path / "x.h5", kind, block_wise, empty)) as found:
        assert {n: found.sizes[n] for n in found.sizes if n in empty} == {
            n: empty[n] for n in found.sizes if n in empty
        }


@pytest.mark.parametrize("kind", [kind for kind, k in KINDS.items() if "line" in k.fields])
def test_lines_have_the_names_of_the_line_list(tmp_path, kind, block_wise):
    path = written(tmp_path / "x.h5", kind, block_wise)
    with h5py.File(path) as f:
        assert artefacts.read_text(f["line"]).tolist() == list(LINES)
    np.testing.assert_array_equal(artefacts.read(path, kind)["line"], LINES)


def test_names_of_lines_are_identifiers():
    names = [*fit_lines().name, *window_lines().name, *EMULATOR_LINES]
    assert all(name.isidentifier() for name in names)


def test_the_lines_of_the_emulator_have_the_names_of_the_fit():
    assert set(EMULATOR_LINES) - set(fit_lines().name) == {"OII_3728"}


def test_the_content_hash_knows_the_coordinates(tmp_path):
    path = written(tmp_path / "x.h5", "extract", False)
    with h5py.File(path, "a") as f:
        before = artefacts.content_hash(f)
        f["wave"][0] += 1.0
        assert artefacts.content_hash(f) != before
