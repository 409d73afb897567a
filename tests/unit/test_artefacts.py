"""The artefact contract: atomic, declared, hashed, equal inputs give equal bytes."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
import xarray
from attributes import attributes_of

from mangrove import artefacts
from mangrove.data_model import KINDS
from mangrove.data_model_attributes import FIT_SETTINGS, OUTCOME, PROVENANCE, Attribute
from mangrove.errors import ArtefactError
from mangrove.spectra.fit.settings import FitSettings
from mangrove.verification import verify_run

ATTRS = {"status": "ok", "reason": "", "plateifu": "8485-1901", "mangaid": "1-1", "z": 0.03}
ATTRS |= {"pixel_scale": 0.5, "r_e": 4.0, "centre_in_field": True}


def line_cube(scale=1.0):
    rng = np.random.default_rng(1)
    flux = rng.normal(size=(2, 10, 4, 4)).astype("f4") * scale
    return {
        "flux": flux,
        "ivar": np.ones_like(flux),
        "valid": np.ones(flux.shape, "i1"),
        "window_wave": np.linspace(4000, 4100, 20).reshape(2, 10),
        "line": np.array(["Hβ_4863", "OIII_5008"]),
        "spaxel_status": np.zeros((4, 4), "i1"),
    }


def write(path, data=None, params=None, inputs=(), attrs=ATTRS):
    prov = artefacts.provenance(path, params or {"size": 4}, list(inputs))
    artefacts.write(path, "line_cube", data or line_cube(), prov, attrs)
    return path


def test_round_trip(tmp_path):
    data = line_cube()
    found = artefacts.read(write(tmp_path / "a.h5", data), "line_cube")
    for name, values in data.items():
        np.testing.assert_array_equal(found[name], values)
    assert found.ok
    assert {name: found.attrs[name] for name in ATTRS} == ATTRS
    assert json.loads(found.attrs["params"]) == {"size": 4}


def test_equal_inputs_give_equal_bytes(tmp_path):
    first, second = write(tmp_path / "a" / "x.h5"), write(tmp_path / "b" / "x.h5")
    assert first.read_bytes() == second.read_bytes()


def test_the_hash_is_of_the_content_alone(tmp_path):
    def hashed(*args):
        return artefacts.read(write(tmp_path / "x.h5", *args), "line_cube", []).content_hash

    assert hashed(line_cube(), {"size": 4}) == hashed(line_cube(), {"size": 8})
    assert hashed(line_cube()) != hashed(line_cube(2.0))
    assert hashed() != hashed(None, None, (), ATTRS | {"z": 0.04})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("ivar"), "missing datasets .'ivar'"),
        (lambda d: d.update(extra=np.zeros(3)), "undeclared datasets .'extra'"),
        (lambda d: d.update(window_wave=np.zeros((2, 9))), "window_pixel"),
        (lambda d: d.update(window_wave=np.zeros(20)), "declared dims"),
    ],
)
def test_what_is_not_declared_is_refused_and_nothing_is_left(tmp_path, change, message):
    data = line_cube()
    change(data)
    with pytest.raises(ArtefactError, match=message):
        write(tmp_path / "x.h5", data)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("z"), r"missing attributes \['z'\]"),
        (lambda a: a.update(redshift=0.03), r"undeclared attributes \['redshift'\]"),
        (lambda a: a.update(params="{}"), r"undeclared attributes \['params'\]"),
        (lambda a: a.update(z="0.03"), "attribute z: '0.03' is not of type f8"),
        (lambda a: a.update(z=True), "attribute z: True is not of type f8"),
        (lambda a: a.update(z=[0.03]), r"attribute z: \[0.03\] is not of type f8"),
        (lambda a: a.update(mangaid=None), "attribute mangaid: None is not of type str"),
    ],
)
def test_attributes_are_those_declared_or_nothing_is_written(tmp_path, change, message):
    attrs = dict(ATTRS)
    change(attrs)
    with pytest.raises(ArtefactError, match=message):
        write(tmp_path / "x.h5", attrs=attrs)
    dims = {"line": 2, "window_pixel": 10, "spaxel_y": 4, "spaxel_x": 4}
    made = artefacts.writer(tmp_path / "x.h5", "line_cube", dims, artefacts.Provenance(), attrs)
    with pytest.raises(ArtefactError, match=message), made:
        pytest.fail("the file was opened")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spec", "given", "read"),
    [
        (Attribute("f8", "", ""), np.float32(0.5), 0.5),
        (Attribute("f8", "", ""), 3, 3.0),
        (Attribute("i8", "", ""), np.int32(3), 3),
        (Attribute("bool", "", ""), np.True_, True),
        (Attribute("str", "", ""), np.str_("é"), "é"),
        (Attribute("str", "", ""), "", ""),
        (Attribute("f8", "", "", (2,)), [3650, 7400.0], (3650.0, 7400.0)),
    ],
)
def test_attributes_come_back_as_plain_python_of_their_type(tmp_path, monkeypatch, spec, given, read):
    kind = replace(KINDS["line_cube"], attributes={"own": spec})
    monkeypatch.setitem(KINDS, "line_cube", kind)
    found = artefacts.read(
        write(tmp_path / "x.h5", attrs={"status": "ok", "reason": "", "own": given}), "line_cube", []
    )
    assert found.attrs["own"] == read and type(found.attrs["own"]) is type(read)


@pytest.mark.parametrize(
    ("value", "message"), [(None, r"x.h5 lacks the attribute\(s\) z"), ("near", "'near' is not of")]
)
def test_reading_refuses_attributes_that_are_not_as_declared(tmp_path, value, message):
    path = write(tmp_path / "x.h5")
    with h5py.File(path, "a") as f:
        del f.attrs["z"]
        if value is not None:
            f.attrs["z"] = value
    with pytest.raises(ArtefactError, match=message):
        artefacts.read(path, "line_cube")


def test_every_attribute_has_a_type_and_a_meaning():
    for name, spec in [item for kind in KINDS.values() for item in (PROVENANCE | OUTCOME | kind.attributes).items()]:
        assert spec.meaning and spec.dtype in ("str", "bool", "i8", "f8"), name
        assert not spec.unit or spec.dtype == "f8", name


def test_the_settings_of_a_fit_are_its_attributes():
    """Those that a model of the fit is made of again (mangrove.spectra.fit.stored_model)."""
    assert set(FIT_SETTINGS) == set(FitSettings._fields)
    chosen = FitSettings(rest_range=(4000.0, 7000.0), n_draw=3, broad_lines=True)
    assert (
        FitSettings.from_params({name: spec.typed(getattr(chosen, name)) for name, spec in FIT_SETTINGS.items()})
        == chosen
    )


def test_a_failing_writer_leaves_the_old_file(tmp_path):
    path = write(tmp_path / "x.h5")
    before = path.read_bytes()
    dims = {"line": 2, "window_pixel": 10, "spaxel_y": 4, "spaxel_x": 4}
    with pytest.raises(RuntimeError), artefacts.writer(path, "line_cube", dims, artefacts.Provenance(), ATTRS) as f:
        f["flux"][...] = 1.0
        raise RuntimeError
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_killed_writers_are_swept(tmp_path):
    path = write(tmp_path / "x.h5")
    leftover = tmp_path / ".x.h5.0123.part"
    leftover.write_bytes(b"half")
    assert artefacts.sweep(tmp_path) == [leftover]
    assert list(tmp_path.iterdir()) == [path]


def test_leftover_folders_are_swept_too(tmp_path):
    leftover = tmp_path / "emulator/.model.0123.part"
    leftover.mkdir(parents=True)
    (leftover / "arrays.npz").write_bytes(b"half")
    assert artefacts.sweep(tmp_path) == [leftover]
    assert not leftover.exists()


def test_where_a_store_lies_is_no_part_of_a_result(tmp_path, monkeypatch):
    """The same cube in two stores outside the workflow's folder: equal bytes; within it, its path tells where it is."""
    made = []
    for name in ("here", "far/away"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "cube.fits").write_bytes(b"cube")
        monkeypatch.chdir(tmp_path)
        inputs = [str(tmp_path / name / "cube.fits")]
        made.append(artefacts.provenance("results/x.h5", {}, inputs).inputs)
    assert made[0] == made[1] and list(made[0]) == ["cube.fits"]
    assert list(artefacts.provenance("results/x.h5", {}, ["here/cube.fits"]).inputs) == ["../here/cube.fits"]


def test_reading_refuses_what_is_wrong(tmp_path):
    path = write(tmp_path / "x.h5")
    with pytest.raises(ArtefactError, match="needs fit"):
        artefacts.read(path, "fit")
    with pytest.raises(ArtefactError, match="does not exist"):
        artefacts.read(tmp_path / "none.h5", "fit")
    with h5py.File(path, "a") as f:
        f.attrs["schema_version"] = 0
    with pytest.raises(ArtefactError, match=r"schema 0; .*Remake it with the workflow .snakemake .* --configfile"):
        artefacts.read(path, "line_cube")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ArtefactError, match="not a readable HDF5"):
        artefacts.read(path, "line_cube")


def test_empty_dimensions_and_text(tmp_path):
    data = {
        name: np.zeros([0 if d == "baxel" else 3 for d in f.dims], "U1" if f.dtype == "str" else f.dtype)
        for name, f in KINDS["extract"].fields.items()
    }
    artefacts.write(
        tmp_path / "e.h5", "extract", data, artefacts.Provenance(), attributes_of("extract", status="too_faint")
    )
    found = artefacts.read(tmp_path / "e.h5", "extract")
    assert found["flux"].shape == (0, 3)
    assert not found.ok


def test_xarray_reads_it_without_mangrove(tmp_path):
    with xarray.open_dataset(write(tmp_path / "x.h5"), engine="h5netcdf") as data:
        assert data.flux.dims == ("line", "window_pixel", "spaxel_y", "spaxel_x")
        assert data.window_wave.attrs["units"] == "Angstrom"
        np.testing.assert_array_equal(data.flux, line_cube()["flux"])
        assert {name: data.attrs[name] for name in ATTRS} == ATTRS


def test_verify_finds_damage_and_stale_inputs(tmp_path):
    source = write(tmp_path / "in" / "s.h5")
    made = write(tmp_path / "out" / "m.h5", inputs=[source])
    assert verify_run(tmp_path) == (2, [])
    write(source, line_cube(3.0))
    assert [p for p in verify_run(tmp_path).problems if str(made) in p and "another version" in p]
    for edit in (
        lambda f: f.attrs.modify("z", 0.04),
        lambda f: f.attrs.create("by hand", np.bytes_(b"x")),
        lambda f: f["flux"].write_direct(np.zeros(f["flux"].shape, "f4")),
    ):
        write(made)
        assert verify_run(tmp_path) == (2, [])
        with h5py.File(made, "a") as f:
            edit(f)
        assert any("content differs" in p for p in verify_run(tmp_path).problems)
