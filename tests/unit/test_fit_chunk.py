"""A chunk of galaxies: which belong to it, what it keeps, what a fault leaves behind."""

import json
import logging
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from small_extract import write_extract

from mangrove import artefacts, logs
from mangrove.codes import FitStatus
from mangrove.config import Fit, Preprocessing
from mangrove.errors import ArtefactError, SpectrumError, WorkerError
from mangrove.spectra.fit.batched import chunk
from mangrove.spectra.fit.batched.kept import forget_others, is_current, put_in_place, set_aside, tasks_of
from mangrove.spectra.fit.batched.membership import chunks
from mangrove.spectra.fit.batched.sharing import shared_out
from mangrove.spectra.fit.results import no_fit
from mangrove.spectra.fit.two_steps import GuidedFits

NAMES = ["1-1901", "1-1902", "2-1901", "2-1902"]
WAVE = 4900.0 * np.exp(1e-4 * np.log(10) * np.arange(400))
PARAMS = Fit(rest_range=[4800, 5200], n_draw=2, polynomial_degree=1, engine="batched").model_dump()
PARAMS |= Preprocessing().model_dump() | {"library": "", "seed": 1, "code": "abc"}


class Fitter:
    """Fits nothing; remembers which galaxies it was given together."""

    def __init__(self, bad=()):
        self.groups, self.bad = [], bad

    def __call__(self, galaxies):
        self.groups.append([one.extract.attrs["plateifu"] for one in galaxies])
        if {*self.bad} & {*self.groups[-1]}:
            raise SpectrumError("no emission line lies in the range")
        return [GuidedFits([self._none(one)] * len(one.spectra), np.full(len(one.spectra), -1)) for one in galaxies]

    @staticmethod
    def _none(one):
        return no_fit(FitStatus.NOT_CONVERGED, 0, one.galaxy.stars, one.galaxy.lines, one.galaxy.settings)

    @property
    def fitted(self) -> list[str]:
        """Names of all galaxies that were fitted."""
        return [name for group in self.groups for name in group if name not in self.bad]


@pytest.fixture
def folder(tmp_path):
    """Extracts of the galaxies, one spectrum each."""
    (tmp_path / "extract").mkdir()
    for name in NAMES:
        write(tmp_path, name)
    return tmp_path


def write(folder, name, level=1.0, n_baxel=1):
    flux = np.full((n_baxel, WAVE.size), level)
    lsf = np.full_like(flux, 1.0)
    data = {"flux": flux, "ivar": flux, "mask": np.zeros_like(flux), "lsf": lsf}
    write_extract(folder / f"extract/{name}.h5", WAVE, data, plateifu=name)


def tasks(folder, names=NAMES, z=None, **chosen):
    extracts, fits = ([folder / kind / f"{name}.h5" for name in names] for kind in ("extract", "fit"))
    own = {"z": dict.fromkeys(names, 0.02) | (z or {}), "ebv": dict.fromkeys(names, 0.03)}
    return tasks_of(extracts, fits, PARAMS | own | chosen)


def run(folder, fitter=None, **chosen):
    """Fit the chunk; the names of the galaxies that were not kept."""
    fitter = fitter or Fitter()
    chunk.fit_chunk(tasks(folder, **chosen), fitter)
    return fitter.fitted


def files(folder):
    return {path.name: path.read_bytes() for path in (folder / "fit").glob("*.h5")}


def test_chunks_hold_about_as_many_galaxies_as_wanted():
    names = [f"{7000 + i // 100}-{12700 + i % 100}" for i in range(10_000)]
    found = chunks(names, 64)
    assert len(found) == 128
    assert sorted(name for members in found.values() for name in members) == sorted(names)
    assert min(map(len, found.values())) > 40 and max(map(len, found.values())) < 130


@pytest.mark.parametrize("size", [1, 2, 64])
def test_few_galaxies_lie_in_one_chunk_each_or_together(size):
    found = chunks(NAMES, size)
    assert sum(map(len, found.values())) == len(NAMES)
    assert list(found) == ["all"] if size == 64 else "all" not in found
    assert chunks([], size) == {}


def test_more_galaxies_fill_chunks_or_split_them_and_mix_none():
    names = [f"{8000 + i}-1901" for i in range(400)]
    before = chunks(names[:200], 32)
    assert all(set(members) <= set(chunks(names[:220], 32)[bits]) for bits, members in before.items())
    after = chunks(names, 32)
    assert len(after) == 2 * len(before)
    for bits, members in after.items():
        assert set(members) & set(names[:200]) <= set(before[bits[:-1]])


def test_each_artefact_records_the_params_of_its_galaxy_alone(folder):
    assert run(folder, z={"1-1902": 0.04}) == NAMES
    for name in NAMES:
        with artefacts.opened(folder / f"fit/{name}.h5", "fit") as f:
            recorded, inputs = json.loads(f.attrs["params"]), json.loads(f.attrs["inputs"])
            assert f.attrs["plateifu"] == name and f.attrs["engine"] == "batched"
        z = 0.04 if name == "1-1902" else 0.02
        assert recorded == json.loads(json.dumps(PARAMS)) | {"z": z, "ebv": 0.03}
        assert list(inputs) == [f"../extract/{name}.h5"]
    assert not any((folder / "fit/.finished").iterdir())


def test_what_is_current_keeps_its_file(folder):
    run(folder)
    before = {name: (folder / f"fit/{name}.h5").stat().st_ino for name in NAMES}
    assert run(folder) == []
    assert {name: (folder / f"fit/{name}.h5").stat().st_ino for name in NAMES} == before


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"z": {"2-1901": 0.03}}, ["2-1901"]),
        ({"library": "another"}, NAMES),
        ({"code": "another"}, NAMES),
        ({"n_draw": 3}, NAMES),
    ],
)
def test_changed_params_refit_the_galaxies_that_they_concern(folder, change, again):
    run(folder)
    assert run(folder, **change) == again


def test_a_changed_extract_or_a_galaxy_more_costs_one_fit(folder):
    run(folder, names=NAMES[:3])
    before = files(folder)
    assert run(folder) == NAMES[3:]
    write(folder, "1-1901", level=2.0)
    assert run(folder) == ["1-1901"]
    after = files(folder)
    assert [name for name in before if after[name] == before[name]] == ["1-1902.h5", "2-1901.h5"]


def test_a_damaged_fit_is_made_again(folder):
    run(folder)
    before = files(folder)
    (folder / "fit/1-1901.h5").write_bytes(b"no HDF5")
    content = bytearray(before["1-1902.h5"])
    with artefacts.opened(folder / "fit/1-1902.h5") as f:
        content[f["template_age"].id.get_offset()] ^= 1
    (folder / "fit/1-1902.h5").write_bytes(content)
    assert run(folder) == NAMES[:2]
    assert files(folder) == before


@pytest.mark.parametrize("restored", [False, True])
def test_a_job_that_dies_keeps_what_it_has_finished(folder, monkeypatch, restored):
    """Whether Snakemake then removes the outputs (a failure) or leaves older ones (a kill)."""
    monkeypatch.setattr(chunk, "most_spectra", lambda: 0)
    run(folder, names=NAMES[:2])
    if restored:
        shutil.copytree(folder / "fit", folder / "old")
    with pytest.raises(KeyboardInterrupt):
        run(folder, fitter=Killed(after=1))
    assert not files(folder)
    if restored:
        shutil.copytree(folder / "old", folder / "fit", dirs_exist_ok=True)
    assert run(folder) == NAMES[3:]
    assert sorted(files(folder)) == [f"{name}.h5" for name in NAMES]
    assert not any((folder / "fit/.finished").iterdir())


class Killed(Fitter):
    """Dies after some groups."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def __call__(self, galaxies):
        if len(self.groups) == self.after:
            raise KeyboardInterrupt
        return super().__call__(galaxies)


def test_a_damaged_extract_stops_no_other_galaxy(folder):
    (folder / "extract/1-1902.h5").write_bytes(b"no HDF5")
    with pytest.raises(
        ArtefactError, match=r"1 of 4 galaxies could not be fitted.*: 1-1902: .*not a readable HDF5 file"
    ):
        run(folder)
    write(folder, "1-1902")
    assert run(folder) == ["1-1902"]


def test_a_galaxy_that_the_engine_refuses_stops_no_other(folder):
    fitter = Fitter(bad=["2-1901"])
    with pytest.raises(ArtefactError, match=r"2-1901: no emission line lies in the range"):
        run(folder, fitter=fitter)
    assert fitter.groups == [NAMES, *([name] for name in NAMES)]
    assert run(folder) == ["2-1901"]


@pytest.mark.parametrize("n_process", [1, 2])
def test_failures_of_a_chunk_count_its_galaxies(folder, n_process):
    """The job that fails is one; what its log says of it is of each galaxy, and the others are no failures."""
    (folder / "extract/1-1901.h5").write_bytes(b"torn")
    log = folder / "logs/fit/chunk-0.log"
    log.parent.mkdir(parents=True)
    with pytest.raises(SystemExit, match="3 of 4 galaxies could not be fitted"), logs.rule_log(str(log)):
        chunk.fit_chunk(tasks(folder), Fitter(bad=["2-1901", "2-1902"]), n_process)
    found = {text.replace(str(folder), ""): n for (rule, text, _), n in logs.failures(folder / "logs").items()}
    (torn,) = (text for text in found if "1-1901.h5" in text)
    refused = "mangrove.errors.SpectrumError: no emission line lies in the range (and 1 more like it)"
    assert found == {refused: 2, torn: 1}


def test_no_more_galaxies_are_fitted_together_than_fill_batches_or_memory(folder, monkeypatch):
    monkeypatch.setattr(chunk, "most_spectra", lambda: 1)
    monkeypatch.setattr(chunk, "GROUP_BATCHES", 2)
    fitter = Fitter()
    run(folder, fitter=fitter)
    assert fitter.groups == [NAMES[:2], NAMES[2:]]
    monkeypatch.setattr(chunk, "GROUP_BYTES", 1)
    fitter = Fitter()
    run(folder, fitter=fitter, code="other")
    assert fitter.groups == [[name] for name in NAMES]


def test_a_fit_of_another_place_is_not_current(folder):
    run(folder)
    (task,) = tasks(folder, names=["1-1901"])
    assert is_current(task.fit, task)
    assert not is_current(folder / "fit/1-1902.h5", task)
    task.extract.unlink()
    assert not is_current(task.fit, task)


class Broken(Fitter):
    """Has a fault with some galaxies that nobody foresaw, and says what it fits."""

    def __call__(self, galaxies):
        names = [one.extract.attrs["plateifu"] for one in galaxies]
        logging.getLogger("mangrove.engine").info("fits %s", names)
        if {*self.bad} & {*names}:
            raise ZeroDivisionError("division by zero")
        return Fitter()(galaxies)


@pytest.mark.parametrize("n_process", [1, 2])
def test_processes_give_what_one_gives_and_a_fault_stops_no_other_galaxy(folder, n_process, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(chunk, "SHARED_SPECTRA", 1)
    with pytest.raises(ArtefactError, match=r"1 of 4 galaxies could not be fitted.*: 2-1901: division by zero"):
        chunk.fit_chunk(tasks(folder), Broken(bad=["2-1901"]), n_process)
    assert {record.getMessage() for record in caplog.records} >= {f"fits {[name]}" for name in NAMES if n_process == 2}
    assert "2-1901 cannot be fitted" in caplog.text
    assert run(folder) == ["2-1901"]
    made = files(folder)
    shutil.rmtree(folder / "fit")
    run(folder)
    assert files(folder) == made


def test_processes_begin_with_the_longest_fits(folder, caplog):
    caplog.set_level(logging.INFO)
    for name, n_baxel in zip(NAMES, (20, 2, 40, 30), strict=True):
        write(folder, name, n_baxel=n_baxel)
    chunk.fit_chunk(tasks(folder), Broken(), 2)
    told = [record.getMessage() for record in caplog.records if record.name == "mangrove.engine"]
    assert told == [f"fits {[NAMES[i]]}" for i in (2, 3, 0, 1)]


def threads_of_xla(_) -> int:
    """Threads of XLA's pool for a CPU in this process."""
    jax.devices()
    return sum(path.read_text() == "tf_XLAEigen\n" for path in Path("/proc/self/task").glob("*/comm"))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system does not tell the threads of a process")
def test_a_process_that_shares_work_has_one_thread_for_it():
    assert list(shared_out(threads_of_xla, range(4), 2)) == [1] * 4


def test_processes_share_the_spectra_of_galaxies_that_are_fewer(folder, monkeypatch):
    given = []

    def by_engine(galaxies, n_process=1):
        given.append((len(galaxies), n_process))
        return Fitter()(galaxies)

    monkeypatch.setattr(chunk, "by_engine", by_engine)
    chunk.fit_chunk(tasks(folder, names=NAMES[:3]), n_process=4)
    chunk.fit_chunk(tasks(folder), n_process=1)
    assert given == [(3, 4), (1, 1)]


def test_a_process_that_is_killed_is_no_fault_of_a_galaxy(folder):
    class Dying(Fitter):
        def __call__(self, galaxies):
            super().__call__(galaxies)
            raise WorkerError("a process that fits spectra was killed")

    fitter = Dying()
    with pytest.raises(WorkerError):
        run(folder, fitter=fitter)
    assert fitter.groups == [NAMES]


def test_fits_are_put_in_place_all_or_none(folder):
    all_tasks = tasks(folder)
    run(folder)
    for task in all_tasks:
        assert set_aside(task)
    all_tasks[1].finished.unlink()
    with pytest.raises(ArtefactError, match="finished fits of 1-1902 have gone"):
        put_in_place(all_tasks)
    assert not files(folder)


def test_only_finished_fits_of_the_runs_galaxies_are_kept(folder):
    run(folder)
    for task in tasks(folder):
        assert set_aside(task)
    finished = folder / "fit/.finished"
    forget_others(folder / "fit", NAMES[1:])
    assert sorted(path.name for path in finished.iterdir()) == NAMES[1:]
    assert run(folder) == NAMES[:1]
    assert finished.is_dir()
    forget_others(folder / "fit", NAMES)
    assert not finished.exists() and len(files(folder)) == 4
    forget_others(folder / "fit", NAMES)
