"""An export of what the scripts of the workflow wrote, and its refusal where one of them has run again since."""

from pathlib import Path

import pytest
import small_cubes
from astropy.io import fits
from astropy.table import Table

from mangrove import artefacts
from mangrove.config import Fit, Preprocessing
from mangrove.config_files import validate
from mangrove.data_model import EXTRACT, FIT, LABELS
from mangrove.errors import ArtefactError
from mangrove.export.products import export_run
from mangrove.survey.sample import Galaxy, write_sheet

#: A galaxy with baxels, and one without.
BRIGHT, FAINT = "8485-1901", "8485-1902"
OF_FIT = Fit().model_dump() | Preprocessing().model_dump() | {"z": 0.03, "ebv": 0.02, "seed": 1}
RUN = Path("results/small")


@pytest.fixture
def rules(script, Params, tmp_path, monkeypatch):
    """Functions that run the scripts by the relative paths that the workflow gives them, in a folder with two cubes."""
    monkeypatch.chdir(tmp_path)
    for name in (BRIGHT, FAINT):
        cube = small_cubes.logcube()
        cube[0].header["PLATEIFU"] = name
        small_cubes.write(Path(f"{name}.fits"), cube)

    def extract(name, **changed):
        faint = {"min_snr": 1000.0} if name == FAINT else {}
        params = Params(small_cubes.PARAMS | {"plateifu": name} | faint | changed)
        script("extract").main(Params(cube=f"{name}.fits"), Params(extract=path_of(EXTRACT, name)), params)

    def fit(name, **changed):
        extract = Params(extract=path_of(EXTRACT, name))
        script("fit").main(extract, Params(fit=path_of(FIT, name)), Params(OF_FIT | changed))

    def labels():
        fits = [path_of(FIT, name) for name in (BRIGHT, FAINT)]
        script("labels").main(Params(fits=fits), Params(labels=str(RUN / LABELS.path)), Params())

    for name in (BRIGHT, FAINT):
        extract(name)
        fit(name)
    labels()
    write_sheet(RUN / "sheet.tsv", [Galaxy(name, "1-1", 0.03, 0.02, 150.0, 20.0) for name in (BRIGHT, FAINT)])
    return Params(extract=extract, fit=fit, labels=labels)


def path_of(kind, name):
    return str(RUN / kind.path.format(plateifu=name))


def export():
    config = validate({"run": "small", "sample": {"sheet": str(RUN / "sheet.tsv")}})
    return export_run(RUN, config, Path("out"))


def test_what_the_scripts_wrote_is_exported(rules):
    galaxies, baxels, *maps = export()
    n_baxel = list(Table.read(galaxies)["n_baxel"])
    assert n_baxel[0] > 0 and n_baxel[1] == 0 and len(Table.read(baxels)) == sum(n_baxel)
    assert [path.name.startswith(BRIGHT) for path in maps] == [True, True]
    assert fits.getheader(galaxies)["TEMPLATE"] == "mastar"


@pytest.mark.parametrize("name", [BRIGHT, FAINT])
def test_an_extract_made_again_with_other_content_is_refused(rules, name):
    rules.extract(name, z=0.031)
    made, source = path_of(FIT, name), path_of(EXTRACT, name)
    command = rf"snakemake {RUN / LABELS.path} --forcerun {made} --cores 8 --configfile configs/YOUR.yaml"
    with pytest.raises(ArtefactError, match=rf"^{made} was made from another version of {source}\. .*\n  {command}\n"):
        export()
    rules.fit(name, z=0.031)
    with pytest.raises(ArtefactError, match=rf"^{RUN / LABELS.path} was made from another version of {made}\."):
        export()
    rules.labels()
    export()


def test_an_artefact_made_again_with_the_same_content_is_not_refused(rules):
    rules.extract(BRIGHT)
    rules.fit(BRIGHT)
    export()


def test_a_fit_that_is_gone_is_refused(rules):
    Path(path_of(FIT, FAINT)).unlink()
    with pytest.raises(ArtefactError, match=rf"^{path_of(FIT, FAINT)} does not exist.*\n  snakemake .*--forcerun"):
        export()


def test_labels_that_do_not_record_the_fit_are_refused(rules):
    path = RUN / LABELS.path
    labels = artefacts.read(path, "labels")
    attrs = {name: labels.attrs[name] for name in ("status", "reason", "templates")}
    prov = artefacts.provenance(path, {}, [path_of(FIT, BRIGHT)])
    artefacts.write(path, "labels", labels.data, prov, attrs)
    with pytest.raises(ArtefactError, match=rf"^{path} was made without {path_of(FIT, FAINT)}\."):
        export()


def test_fits_with_different_libraries_have_no_common_table(rules):
    packed = Path(__file__).resolve().parents[2] / "resources/mastar_ssp.h5"
    rules.fit(FAINT, templates=str(packed))
    with pytest.raises(SystemExit, match=f"{BRIGHT} and {FAINT} used different template libraries, 'mastar' and"):
        rules.labels()
