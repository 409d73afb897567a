"""Bad cubes through the rule 'extract': an error that names file and reason, or a valid empty artefact with a status."""

import gzip
import logging

import numpy as np
import pytest
import small_cubes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mangrove import artefacts
from mangrove.codes import SpaxelStatus

STATUSES = {"ok", "too_faint", "all_masked", "critical"}
LAST_DATA = "ZIMG"


@pytest.fixture(scope="module")
def run(script, Params):
    """A function: the artefact of a cube's file, under a row of the sample sheet that may differ."""
    main = script("extract").main

    def extract(path, **params):
        target = path.with_name(f"{path.name}.h5")
        target.unlink(missing_ok=True)
        try:
            main(Params(cube=str(path)), Params(extract=str(target)), Params(small_cubes.PARAMS | params))
        finally:
            logging.captureWarnings(False)
            assert not list(path.parent.glob(".*.part")), "a partial file is left"
            assert target.exists() or not list(path.parent.glob("*.h5"))
        return artefacts.read(target, "extract")

    return extract


@pytest.fixture
def fails(run):
    """A function: asserts that a file gives an error that names it and matches, and no artefact."""

    def check(path, reason, **params):
        with pytest.raises(SystemExit, match=rf"(?s)^CubeError: .*{path.name}.*{reason}"):
            run(path, **params)
        assert not path.with_name(f"{path.name}.h5").exists()

    return check


def changed(**arrays):
    """A LOGCUBE with other values, or another array, in the named HDUs."""
    hdus = small_cubes.logcube()
    for name, values in arrays.items():
        old = hdus[name].data
        hdus[name].data = values if isinstance(values, np.ndarray) else np.full_like(old, values)
    return hdus


# --- files


def test_truncated_gzip(tmp_path, fails):
    packed = gzip.compress(small_cubes.as_bytes(small_cubes.logcube()), 1)
    for part in (0.1, 0.5, 0.8):
        cut = small_cubes.write(tmp_path / "cut.fits.gz", packed[: int(part * len(packed))], packed=False)
        fails(cut, "cannot be read.*EOFError.*Delete it and run again", fetched=True)


def test_corrupt_gzip(tmp_path, fails):
    packed = bytearray(gzip.compress(small_cubes.as_bytes(small_cubes.logcube()), 1))
    middle = len(packed) // 3
    packed[middle : middle + 400] = bytes(400)
    fails(
        small_cubes.write(tmp_path / "bad.fits.gz", bytes(packed), packed=False),
        "Delete it and run again",
        fetched=True,
    )


@pytest.mark.parametrize("packed", [True, False])
def test_web_page_in_place_of_a_cube(tmp_path, fails, packed):
    page = b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n" * 200
    path = small_cubes.write(tmp_path / "page.fits.gz", page, packed=packed)
    fails(path, "it is a web page, not FITS.*Delete it and run again", fetched=True)


def test_cut_plain_file_and_empty_file(tmp_path, fails):
    content = small_cubes.as_bytes(small_cubes.logcube())
    fails(small_cubes.write(tmp_path / "cut.fits", content[:60000]), "HDU FLUX announces|it ends in HDU")
    fails(small_cubes.write(tmp_path / "cut.fits", content[: len(content) // 3]), "it ends in HDU")
    fails(small_cubes.write(tmp_path / "empty.fits.gz", b"", packed=False), "it is empty")


@pytest.mark.parametrize("link", [False, True])
def test_nobody_is_told_to_delete_a_file_of_their_own(tmp_path, run, link):
    page = b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n" * 200
    small_cubes.write(tmp_path / "own.fits", page)
    hdus = small_cubes.logcube()
    hdus["FLUX"].header["BUNIT"] = "ct"
    small_cubes.write(tmp_path / "counts.fits", hdus)
    for name, plateifu in (("own.fits", "a"), ("counts.fits", "a"), ("whole.fits", "8485-1902")):
        path = tmp_path / name
        small_cubes.write(tmp_path / "whole.fits", small_cubes.logcube())
        if link:
            path = tmp_path / f"link-{name}"
            path.symlink_to(tmp_path / name)
        with pytest.raises(SystemExit) as error:
            # A cube that was linked from a mirror was not fetched either.
            run(path, plateifu=plateifu, fetched=link)
        message = str(error.value)
        assert "Delete" not in message and "fetch" not in message
        assert ("put a correct file there" if link else "columns 'path' and 'spectrum'") in message


def test_where_a_cube_came_from_changes_no_result(tmp_path, run):
    path = small_cubes.write(tmp_path / "c.fits", small_cubes.logcube())
    own, fetched = (run(path, fetched=value) for value in (False, True))
    assert own.attrs["params"] == fetched.attrs["params"] and own.content_hash == fetched.content_hash


def test_missing_file(tmp_path, fails):
    fails(tmp_path / "none.fits.gz", "cannot be read.*FileNotFoundError")


# --- HDUs


@pytest.mark.parametrize("name", ["FLUX", "IVAR", "MASK", "LSFPOST", "WAVE"])
def test_missing_hdu(tmp_path, fails, name):
    hdus = small_cubes.logcube()
    del hdus[name]
    fails(small_cubes.write(tmp_path / "c.fits.gz", hdus), f"lacks the HDU.s. .*{name}")


def test_images_may_be_missing(tmp_path, run):
    hdus = small_cubes.logcube()
    for band in "GRIZ":
        del hdus[f"{band}IMG"]
    assert run(small_cubes.write(tmp_path / "c.fits.gz", hdus))["image"].shape == (0, 6, 6)


@pytest.mark.parametrize(
    ("name", "shape"), [("IVAR", (300, 6, 5)), ("MASK", (299, 6, 6)), ("LSFPOST", (300, 36)), ("WAVE", (299,))]
)
def test_wrong_shape(tmp_path, fails, name, shape):
    hdus = changed(**{name: np.ones(shape, small_cubes.logcube()[name].data.dtype)})
    fails(small_cubes.write(tmp_path / "c.fits.gz", hdus), "disagree in shape: FLUX .300, 6, 6.")


def test_image_of_another_shape(tmp_path, fails):
    path = small_cubes.write(tmp_path / "c.fits.gz", changed(RIMG=np.ones((3, 3), np.float32)))
    fails(path, r"image r has shape \(3, 3\).*Delete it and run again", fetched=True)


def test_swapped_axes(tmp_path, fails):
    hdus = small_cubes.logcube()
    hdus = changed(**{n: np.ascontiguousarray(hdus[n].data.T) for n in ("FLUX", "IVAR", "MASK", "LSFPOST")})
    fails(
        small_cubes.write(tmp_path / "c.fits.gz", hdus), r"disagree in shape: FLUX \(6, 6, 300\).*columns, rows, wave"
    )


@pytest.mark.parametrize(
    ("wave", "reason"),
    [
        (small_cubes.WAVE[::-1], "do not increase"),
        (np.full(300, 5000.0), "do not increase"),
        (np.linspace(3600, 10300, 300), "not log-linear"),
        (np.where(np.arange(300) == 40, np.nan, small_cubes.WAVE), "not finite"),
        (np.where(np.arange(300) == 40, 0.0, small_cubes.WAVE), "not positive"),
    ],
)
def test_wavelengths(tmp_path, fails, wave, reason):
    fails(small_cubes.write(tmp_path / "c.fits.gz", changed(WAVE=wave)), f"wavelengths .*{reason}")


def test_types(tmp_path, fails):
    shape = small_cubes.logcube()["MASK"].data.shape
    fails(
        small_cubes.write(tmp_path / "m.fits.gz", changed(MASK=np.zeros(shape, "f4"))),
        "MASK holds float32.*Delete it and run again",
        fetched=True,
    )
    fails(small_cubes.write(tmp_path / "f.fits.gz", changed(FLUX=np.zeros(shape, "i2"))), "FLUX holds int16")


# --- header


@pytest.mark.parametrize("keys", [("CTYPE1", "CTYPE2"), ("CTYPE1",), ("CD1_1", "CD2_2")])
def test_no_frame_on_the_sky(tmp_path, fails, keys):
    hdus = small_cubes.logcube()
    for key in keys:
        del hdus["FLUX"].header[key]
    fails(small_cubes.write(tmp_path / "c.fits.gz", hdus), "WCS|arcsec wide")


def test_another_galaxy(tmp_path, fails, run):
    path = small_cubes.write(tmp_path / "c.fits.gz", small_cubes.logcube())
    fails(path, "holds the cube of 8485-1901, not of 8485-1902", plateifu="8485-1902")
    # A row of local files has a name of the user's own.
    assert run(path, plateifu="my-galaxy").attrs["status"] == "ok"


def test_critical(tmp_path, run):
    hdus = small_cubes.logcube()
    hdus[0].header["DRP3QUAL"] = (1 << 30) | 2
    path = small_cubes.write(tmp_path / "c.fits.gz", hdus)
    made = run(path)
    assert made.attrs["status"] == "critical" and "DRP3QUAL" in made.attrs["reason"]
    assert made["flux"].shape == (0, 300) and not made["window_ivar"].any() and np.all(made["bin_id"] == -1)
    assert np.all(made["spaxel_status"] == SpaxelStatus.MASKED)
    assert run(path, drop_critical=False).attrs["status"] == "ok"


# --- the row of the sample sheet


@pytest.mark.parametrize(("ra", "dec"), [(150.01, 20.0), (150.0, 19.99), (330.0, -20.0)])
def test_object_outside_the_field(tmp_path, run, script, Params, ra, dec):
    path = small_cubes.write(tmp_path / "c.fits.gz", small_cubes.logcube())
    made = run(path, ra=ra, dec=dec)
    assert made.attrs["status"] == "ok" and not made.attrs["centre_in_field"]
    assert "outside the field" in made.attrs["notes"]
    cube = str(tmp_path / "line.h5")
    script("line_cube").main(Params(extract=f"{path}.h5"), Params(line_cube=cube), Params(size=32))
    assert artefacts.read(cube, "line_cube").attrs["status"] == "all_masked"


def test_object_in_the_field(tmp_path, run):
    made = run(small_cubes.write(tmp_path / "c.fits.gz", small_cubes.logcube()))
    assert made.attrs["centre_in_field"] and made.attrs["notes"] == ""
    assert (made.attrs["x_centre"], made.attrs["y_centre"]) == pytest.approx((3, 3), abs=1e-6)


# --- data


@pytest.mark.parametrize(
    ("name", "value"), [("FLUX", np.nan), ("IVAR", 0.0), ("IVAR", -1.0), ("IVAR", np.nan), ("MASK", 1 << 10)]
)
def test_no_data(tmp_path, run, name, value):
    made = run(small_cubes.write(tmp_path / "c.fits.gz", changed(**{name: value})))
    assert made.attrs["status"] == "all_masked" and "good pixels" in made.attrs["reason"]
    assert made["flux"].shape == (0, 300) and made["n_spaxel"].size == 0
    assert np.all(made["spaxel_status"] == SpaxelStatus.OUTSIDE_FIELD) and not made["window_ivar"].any()


def signal_map(n_bright):
    """Signal to noise of 9 in the first spaxels, of nothing in the others."""
    return np.where(np.arange(36) < n_bright, 9.0, 0.0).reshape(6, 6)


def test_no_spaxel_above_the_threshold(tmp_path, run):
    made = run(small_cubes.write(tmp_path / "c.fits.gz", small_cubes.logcube(signal=0.2)))
    assert made.attrs["status"] == "too_faint" and made["flux"].shape == (0, 300)
    assert np.all(made["spaxel_status"] == SpaxelStatus.BELOW_MIN_SNR)


def test_one_spaxel_above_the_threshold(tmp_path, run):
    made = run(small_cubes.write(tmp_path / "c.fits.gz", small_cubes.logcube(signal=signal_map(1))))
    assert made.attrs["status"] == "ok" and made["n_spaxel"].tolist() == [1]
    assert made["snr"][0] == pytest.approx(9, rel=0.1)


@pytest.mark.parametrize("engine", ["powerbin", "vorbin"])
def test_every_spaxel_above_the_target(tmp_path, run, engine):
    made = run(small_cubes.write(tmp_path / "c.fits.gz", small_cubes.logcube(signal=50.0)), engine=engine)
    assert made["n_spaxel"].tolist() == [1] * 36
    assert sorted(made["bin_id"].ravel()) == list(range(36))


@pytest.mark.parametrize("engine", ["powerbin", "vorbin"])
def test_whole_galaxy_below_the_target(tmp_path, run, engine):
    made = run(small_cubes.write(tmp_path / "c.fits.gz", small_cubes.logcube(signal=signal_map(3))), engine=engine)
    assert made["n_spaxel"].tolist() == [3]
    # 9 per spaxel, three of them: the noise grows by the quadrature sum times 1 + 1.62 log10(3).
    assert made["snr"][0] == pytest.approx(9 * np.sqrt(3) / (1 + 1.62 * np.log10(3)), rel=0.1)


# --- anything


CARDS = (
    "SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "EXTEND", "PCOUNT", "GCOUNT", "EXTNAME", "BUNIT", "XTENSION",
    "CTYPE1", "CTYPE3", "CRVAL1", "CRVAL2", "CRPIX1", "CD1_1", "CD2_2", "CD3_3", "CUNIT1", "PLATEIFU", "DRP3QUAL", "VERSDRP3", "END",
)  # fmt: skip
VALUES = (
    "", "T", "0", "1", "-1", "7", "-32", "1E400", "99999999999", "1.5", "NaN", "'GARBAGE '", "'unclosed", "= = /", "\xff\xfe", "1 2 3"
)  # fmt: skip
CONTENT = small_cubes.as_bytes(small_cubes.logcube())
CARD_PLACES = {
    key: [
        i
        for i in range(0, len(CONTENT), 80)
        if CONTENT[i : i + 8].rstrip() == key.encode() and CONTENT[i : i + 80].isascii()
    ]
    for key in CARDS
}
ODD_NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e38, -1e38, 1e-45, 3e-39, 1e20, 1e-30)

headers = st.tuples(st.just("card"), st.sampled_from(CARDS), st.integers(0, 20), st.none() | st.sampled_from(VALUES))
arrays = st.tuples(
    st.just("array"),
    st.sampled_from(("FLUX", "IVAR", "MASK", "LSFPOST", "WAVE", "RIMG")),
    st.sampled_from(("all", "plane", "spaxel", "some", "noise")),
    st.sampled_from(ODD_NUMBERS),
    st.integers(0, 5),
)
damage = st.tuples(st.sampled_from(("cut", "flip")), st.floats(0, 1), st.integers(1, 255))


def with_card(content, key, which, value):
    """The file with one card blanked (value None) or given another value."""
    place = CARD_PLACES[key][which % len(CARD_PLACES[key])]
    card = b"" if value is None else f"{key:8}= {value:>20}".encode("latin-1")[:80]
    return content[:place] + card.ljust(80) + content[place + 80 :]


def with_numbers(content, name, where, value, seed):
    """The file with odd numbers, or random bits, in an HDU's data."""
    rng = np.random.default_rng(seed)
    hdu = small_cubes.logcube()[name]
    start = content.index(b"END" + b" " * 77, content.index(f"'{name:8}'".encode())) // 2880 * 2880 + 2880
    values = (
        np.frombuffer(content, hdu.data.dtype.newbyteorder(">"), hdu.data.size, start).copy().reshape(hdu.data.shape)
    )
    place = {
        "all": ...,
        "plane": seed,
        "spaxel": (..., 1, 2) if values.ndim > 1 else 3,
        "some": rng.random(values.shape) < 0.3,
    }
    if where == "noise":
        values = np.frombuffer(rng.bytes(values.nbytes), values.dtype)
    elif values.dtype.kind == "i":
        values[place[where]] = int(np.clip(np.nan_to_num(value), -(2**31), 2**31 - 1))
    else:
        with np.errstate(over="ignore", under="ignore"):
            values[place[where]] = value
    return content[:start] + values.tobytes() + content[start + values.nbytes :]


def with_damage(packed, kind, where, bits):
    """The packed file cut at a place, or with bits of one byte there turned."""
    i = min(int(where * len(packed)), len(packed) - 1)
    return packed[:i] if kind == "cut" else packed[:i] + bytes([packed[i] ^ bits]) + packed[i + 1 :]


def check_content(made):
    """What every artefact promises, whatever the cube held."""
    assert made.attrs["status"] in STATUSES
    assert bool(made.attrs["reason"]) == (made.attrs["status"] != "ok")
    assert (made["n_spaxel"].size > 0) == (made.attrs["status"] == "ok")
    used = made["bin_id"][made["bin_id"] >= 0]
    assert np.array_equal(np.bincount(used, minlength=made["n_spaxel"].size), made["n_spaxel"])
    for name in ("flux", "ivar", "lsf", "snr", "x", "y", "window_flux", "window_ivar", "signal", "wave", "area"):
        assert np.all(np.isfinite(made[name])), name
    assert np.array_equal(made["ivar"] > 0, made["mask"] == 0)
    assert np.all(made["lsf"][made["mask"] == 0] > 0)


def outcome_of(run, path):
    """The artefact, or None and the message with which the rule ended."""
    try:
        return run(path), ""
    except SystemExit as error:
        return None, str(error)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(headers | arrays, max_size=3), harm=st.none() | damage)
def test_anything(tmp_path_factory, run, edits, harm):
    content = CONTENT
    # Data first: a damaged header can no longer be found.
    for kind, *what in sorted(edits, key=lambda edit: edit[0]):
        content = with_numbers(content, *what) if kind == "array" else with_card(content, *what)
    path = tmp_path_factory.mktemp("any") / "c.fits.gz"
    if harm is None:
        small_cubes.write(path, content, packed=False)
    else:
        small_cubes.write(path, with_damage(gzip.compress(content, 1, mtime=0), *harm), packed=False)
    made, message = outcome_of(run, path)
    if made is None:
        assert message.startswith("CubeError: ") and "c.fits.gz" in message and len(message) > 60
    else:
        check_content(made)
