"""A run from end to end: the code that runs, verification. Interruptions are in tests/faults."""

from pathlib import Path

import h5py
import ppxf
from conftest import REGULAR, TOO_FAINT

from mangrove import artefacts


def test_scripts_run_the_package_beside_the_workflow(finished):
    """Whichever mangrove is installed: what is hashed is what runs."""
    target = f"results/tiny/spectra/line_cube/{TOO_FAINT}.h5"
    with (
        finished.restored(target),
        finished.edited("src/mangrove/logs.py", lambda text: text.replace("%(levelname)s", "BESIDE %(levelname)s")),
        finished.edited("workflow/scripts/line_cube.py", lambda text: text.replace("with rule_log(log):", SAY)),
    ):
        finished.snakemake("--force", target)
    log = finished.run / f"logs/line_cube/{TOO_FAINT}.log"
    assert "BESIDE INFO root: here" in log.read_text(encoding="utf-8")


SAY = "with rule_log(log):\n        __import__('logging').info('here')"


def test_a_warning_in_a_job_is_an_error(finished):
    target = f"results/tiny/spectra/line_cube/{TOO_FAINT}.h5"
    with finished.restored(target):
        with finished.edited("workflow/scripts/line_cube.py", lambda text: text.replace("with rule_log(log):", WARN)):
            done = finished.snakemake("--force", target, check=False)
        log = (finished.run / f"logs/line_cube/{TOO_FAINT}.log").read_text(encoding="utf-8")
        finished.snakemake("--force", target)
    assert done.returncode != 0
    assert "RuntimeWarning: odd" in done.stdout + log
    assert finished.planned().rules == {}


WARN = "with rule_log(log):\n        __import__('warnings').warn('odd', RuntimeWarning)"


def test_jobs_are_chosen_when_one_ends_and_not_every_second_besides(finished):
    """Two jobs of several seconds, one after the other."""
    targets = [f"results/tiny/spectra/line_cube/{name}.h5" for name in (REGULAR, TOO_FAINT)]
    with finished.restored(targets[0]), finished.restored(targets[1]):
        done = finished.snakemake("--cores", "1", "--verbose", "--force", *targets)
    assert 2 <= done.stdout.count("Ready jobs: ") <= 3


def test_a_galaxy_that_is_too_faint_gives_empty_artefacts(finished):
    extract = artefacts.read(finished.run / f"spectra/extract/{TOO_FAINT}.h5", "extract")
    assert (extract.attrs["status"], extract["flux"].shape[0]) == ("too_faint", 0)
    assert artefacts.read(finished.run / f"spectra/fit/{TOO_FAINT}.h5", "fit")["status"].size == 0
    assert artefacts.read(finished.run / f"spectra/extract/{REGULAR}.h5", "extract").ok


def test_spectra_are_not_placed_on_a_map_that_two_galaxies_cannot_train(finished):
    """The reason is that for which nothing was trained; the spectrum is not to blame."""
    spectrum = Path(ppxf.__file__).parent / "spectra" / "NGC3522_SDSS_DR18.fits"
    done = finished.mangrove("assign", str(spectrum), "--model", "results/tiny/desom")
    reason = artefacts.read(finished.run / "desom/map.h5", "desom_map", []).attrs["reason"]
    assert done.returncode == 1 and "Traceback" not in done.stdout
    assert reason and f"holds no model: {reason}" in " ".join(done.stdout.split())


def test_verify_is_clean_after_a_run(finished):
    report = finished.mangrove("verify", "tiny")
    assert report.returncode == 0, report.stdout
    assert report.stdout.endswith(" 0 problems\n")


def test_verify_finds_a_byte_changed_by_hand(finished):
    name = f"results/tiny/spectra/extract/{REGULAR}.h5"
    with finished.restored(name) as path:
        with h5py.File(path) as f:
            offset = f["flux"].id.get_offset()
        content = bytearray(path.read_bytes())
        content[offset] ^= 1
        path.write_bytes(content)
        report = finished.mangrove("verify", "tiny")
    assert report.returncode == 1
    assert f"{REGULAR}.h5: content differs from its recorded hash" in report.stdout


def test_verify_finds_what_was_made_from_another_version_of_its_input(finished):
    name = f"results/tiny/spectra/extract/{REGULAR}.h5"
    with finished.restored(name) as path:
        with h5py.File(path, "r+") as f:
            f["flux"][0, 0] += 1
            f.attrs["content_hash"] = artefacts.content_hash(f)
        lines = finished.mangrove("verify", "tiny").stdout.splitlines()
    old = {line.split(":")[0].split("results/tiny/")[1] for line in lines if "made from another version" in line}
    merged = {"spectra/training_spectra.h5", "emulator/table.h5"}
    assert old == merged | {f"spectra/{kind}/{REGULAR}.h5" for kind in ("fit", "line_cube")}
