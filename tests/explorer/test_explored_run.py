"""A run read by column and by rows, by several readers at once, and views that are made before they are asked for."""

import os
import shutil
import threading

import h5py
import numpy as np
import pytest
from flask import Flask

from mangrove.errors import ArtefactError
from mangrove.explorer import explored_run
from mangrove.explorer.explored_run import ExploredRun
from mangrove.explorer.thumbnails import thumbnail
from mangrove.explorer.warm import after_first_page

#: Seconds after which a thread that should have gone on counts as stuck.
PATIENCE = 20


@pytest.fixture
def run(survey_run):
    return ExploredRun(survey_run)


def test_rows_of_text_and_of_numbers_are_those_of_the_file(run):
    with h5py.File(run.path("emulator_table")) as file:
        names, ew = file["plateifu"].asstr()[...].astype(str), file["ew"][...]
    for rows in (slice(5, 9), [3, 4, 700], slice(3, 3)):
        found = run.rows("emulator_table", "plateifu", rows)
        assert found.dtype.kind == "U"
        np.testing.assert_array_equal(found, names[rows])
        np.testing.assert_array_equal(run.rows("emulator_table", "ew", rows), ew[rows])
    with pytest.raises(ArtefactError, match=r"table\.h5 lacks the dataset nothing"):
        run.rows("emulator_table", "nothing", slice(0, 1))


def test_a_slow_reader_keeps_only_those_waiting_who_want_the_same(run):
    begun, go_on, made = threading.Event(), threading.Event(), []

    def slow() -> str:
        made.append(1)
        begun.set()
        assert go_on.wait(PATIENCE)
        return "slow"

    same = [threading.Thread(target=run.kept, args=("slow", slow), daemon=True) for _ in range(2)]
    for thread in same:
        thread.start()
    assert begun.wait(PATIENCE)
    other = threading.Thread(target=run.column, args=("labels", "log_age_lw"), daemon=True)
    other.start()
    other.join(PATIENCE)
    assert not other.is_alive()
    go_on.set()
    for thread in same:
        thread.join(PATIENCE)
    assert made == [1] and run.kept("slow", list) == "slow"


def test_what_fails_is_tried_again(run):
    def fail():
        raise ArtefactError("damaged")

    with pytest.raises(ArtefactError, match="damaged"):
        run.kept("key", fail)
    assert run.kept("key", lambda: 3) == 3


def test_an_artefact_made_anew_is_not_mixed_with_what_was_read(survey_run, tmp_path):
    labels = tmp_path / "spectra" / "labels.h5"
    labels.parent.mkdir()
    run = ExploredRun(tmp_path)
    assert run.galaxies == []
    shutil.copy(survey_run / "spectra" / "labels.h5", labels)
    assert run.galaxies == ExploredRun(survey_run).galaxies != []
    os.utime(labels, ns=(1, 1))
    for read in (
        lambda: run.column("labels", "z"),
        lambda: run.rows("labels", "z", slice(0, 1)),
        lambda: run.attrs("labels"),
        lambda: run.has("labels"),
    ):
        with pytest.raises(ArtefactError, match=r"labels\.h5 was made anew .* Start the explorer again"):
            read()


def test_of_what_belongs_to_single_files_the_latest_used_are_kept(run, tmp_path):
    files, made = [tmp_path / f"{k}.h5" for k in range(3)], []

    def make(file):
        return run.recent("sort", [file], lambda: made.append(file) or file.name, most=2)

    for file in files:
        file.write_bytes(b"first")
    for k in (0, 1, 0, 2, 0):
        assert make(files[k]) == f"{k}.h5"
    assert made == files
    # The one that was used longest ago has gone, and is made again.
    assert make(files[1]) == "1.h5" and made == [*files, files[1]]
    missing = tmp_path / "later.h5"
    assert make(missing) == make(missing) == "later.h5" and made.count(missing) == 1
    missing.write_bytes(b"there")
    assert make(missing) == "later.h5" and made.count(missing) == 2
    files[1].write_bytes(b"another")
    with pytest.raises(ArtefactError, match=r"1\.h5 was made anew"):
        make(files[1])


def test_not_all_pictures_of_a_survey_are_kept(run, monkeypatch):
    """However many galaxies people look at: memory does not grow with them."""
    monkeypatch.setattr(explored_run, "MOST_RECENT", 4)
    for name in run.galaxies:
        thumbnail(run, name)
    assert len(run.galaxies) > 4 == len(run._recent.get("thumbnails", list))


def test_views_are_made_once_after_the_first_page(run):
    server, made, all_made = Flask("served"), [], threading.Event()
    server.add_url_rule("/", "frame", view_func=lambda: "frame")
    server.add_url_rule("/page", "page", view_func=lambda: "page", methods=["POST"])

    def make() -> None:
        made.append("views")
        all_made.set()

    after_first_page(server, make)
    client = server.test_client()
    client.get("/")
    assert made == []
    client.post("/page")
    client.post("/page")
    assert all_made.wait(PATIENCE) and made == ["views"]
