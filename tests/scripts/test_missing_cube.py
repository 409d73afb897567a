"""A cube that the archive lacks: from the download to the line cube it is a status, in no step a failure."""

import numpy as np
import pytest
from archive_server import answer, serving

from mangrove import artefacts
from mangrove.config import Fit, Preprocessing
from mangrove.spectra.fit.settings import FitSettings
from mangrove.survey.readers.missing import reason_missing_in

PATH = "sas/manga-8485-1901-LOGCUBE.fits.gz"
DOWNLOAD = {"plateifu": "8485-1901", "link": False, "drpver": "v3_1_1", "mirror": "", "timeout": 5.0}
EXTRACT = {
    "plateifu": "8485-1901",
    "mangaid": "1-209232",
    "z": 0.04,
    "ebv": 0.02,
    "ra": 232.5,
    "dec": 48.7,
    "r_e": 5.0,
    "pa": 30.0,
    "ba": 0.7,
    "spectrum": -1,
    "engine": "powerbin",
    "target_snr": 20.0,
    "min_snr": 2.0,
    "continuum_range": [5600.0, 6750.0],
    "covariance": "manga",
    "window_pixels": 10,
}
FIT = Fit().model_dump() | Preprocessing().model_dump() | FitSettings()._asdict() | {"z": 0.04, "ebv": 0.02, "seed": 1}
REASON = "the archive has no cube of this galaxy"


@pytest.fixture
def download(script, Params, tmp_path):
    """A function that downloads from an address and gives the path of the cube."""

    def run(archive: str, **changed):
        cube = tmp_path / "data" / "cube.fits.gz"
        params = Params(DOWNLOAD | {"url": f"{archive}/{PATH}", "base": archive} | changed)
        script("download").main(Params(), Params(cube=str(cube)), params)
        return cube

    return run


def test_a_missing_cube_is_a_status_in_every_step(download, script, Params, tmp_path):
    with serving({"sas/other": b""}) as archive:
        cube = download(archive.base)
    assert reason_missing_in(cube) == REASON
    paths = {kind: str(tmp_path / f"{kind}.h5") for kind in ("extract", "fit", "line_cube")}
    script("extract").main(Params(cube=str(cube)), Params(paths), Params(EXTRACT))
    extract = artefacts.read(paths["extract"], "extract")
    assert (extract.attrs["status"], extract.attrs["reason"]) == ("missing", REASON)
    assert extract["flux"].shape == (0, 4563) and np.all(extract["bin_id"] == -1)
    script("fit").main(Params(extract=paths["extract"]), Params(paths), Params(FIT))
    assert artefacts.read(paths["fit"], "fit").attrs["status"] == "missing"
    script("line_cube").main(Params(extract=paths["extract"]), Params(paths), Params(size=8))
    assert not artefacts.read(paths["line_cube"], "line_cube").ok


def test_a_folder_without_the_cube_is_an_archive_without_it(download, tmp_path):
    (tmp_path / "sas").mkdir()
    assert reason_missing_in(download(tmp_path.as_uri())) == REASON


@pytest.mark.parametrize("fault", [answer(403), answer(200, b"<html></html>")])
def test_a_refusal_or_another_file_is_a_failure(download, tmp_path, fault):
    with serving({}) as archive, pytest.raises(SystemExit, match="DownloadError"):
        archive.faults[PATH] = [fault]
        download(archive.base)
    assert not (tmp_path / "data/cube.fits.gz").exists()


def test_a_wrong_path_in_the_sheet_is_a_failure(download, tmp_path):
    with pytest.raises(SystemExit, match=r"MissingError: .* does not exist; check survey.base"):
        download(str(tmp_path), base="", plateifu="", drpver="")
