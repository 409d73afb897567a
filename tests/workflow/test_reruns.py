"""What a finished run does again after a change, and what it leaves alone."""

import re
import shutil

import pytest
from conftest import ADDED, REGULAR, TOO_FAINT, checkout_files, rules_of, sheet

PER_GALAXY = ["extract", "fit", "line_cube"]
AFTER_EXTRACT = {"fit", "labels", "line_cube", "training_spectra", "line_cube_set"}
#: What nobody computes with: the last pages of a run.
LAST_PAGES = {"digest", "overview", "provenance"}
#: What looks at a map of spectra through the labels; the maps themselves know of none.
LABELS_ON_THE_MAP = {"desom_maps", "desom_quality", "desom_figures", "desom_truth"}
#: What takes the BPT classes of the labels, of the autoencoders of line cubes.
LABELS_OF_ANOMALIES = {"agn", "autoencoder_figures"}


def code_edit(text: str) -> str:
    """A statement more in the first function that returns, or that keeps a log."""
    return re.sub(r"^    (return |with rule_log)", r"    assert True\n    \1", text, count=1, flags=re.MULTILINE)


def words_edit(text: str) -> str:
    """Another docstring, a comment and a blank line more, no change of code."""
    return text.replace('"""', '"""Reworded. ', 1) + "\n\n# The end.\n"


def test_a_finished_run_has_nothing_to_do(finished):
    assert finished.planned().rules == {}


def test_a_missing_result_is_made_again_though_all_that_was_made_of_it_is_there(finished):
    missing = {
        "autoencoder/ae/embedding.h5": "embedding",
        "desom/node_labels.h5": "desom_maps",
        "desom/model/model.json": "desom_train",
        "emulator/table.h5": "emulator_table",
        "emulator/learning_curve.h5": "emulator_learning_curve",
        "autoencoder/augmentation.h5": "augmentation",
        "spectra/labels.h5": "labels",
        f"spectra/extract/{REGULAR}.h5": "extract",
        f"spectra/line_cube/{REGULAR}.h5": "line_cube",
    }
    for name, rule in missing.items():
        with finished.restored(f"results/tiny/{name}") as path:
            path.unlink()
            assert finished.planned().rules[rule] == 1, name
    assert finished.planned().rules == {}


def test_a_fresh_checkout_reruns_nothing(finished):
    for name in checkout_files():
        (finished.folder / name).touch()
    assert finished.planned().rules == {}


def test_another_target_snr_extracts_again_but_downloads_nothing(finished):
    with finished.edited("configs/tiny.yaml", lambda text: text.replace("target_snr: 40", "target_snr: 30")):
        rules = finished.planned().rules
    assert rules["extract"] == 2
    assert AFTER_EXTRACT | set(rules_of("report")) - {"known_populations"} <= set(rules)
    assert not set(rules) & set(rules_of("survey"))


def test_an_edited_library_function_reruns_what_uses_it(finished):
    with finished.edited("src/mangrove/spectra/binning/voronoi.py", code_edit):
        rules = finished.planned().rules
    assert rules["extract"] == 2
    assert set(rules) >= AFTER_EXTRACT
    assert not set(rules) & set(rules_of("survey"))


@pytest.mark.parametrize(
    "name",
    ["src/mangrove/spectra/binning/voronoi.py", "src/mangrove/physics/wavelengths.py", "workflow/scripts/extract.py"],
)
def test_edited_words_rerun_nothing(finished, name):
    with finished.edited(name, words_edit):
        assert finished.planned().rules == {}


def test_an_edited_fit_leaves_spectra_and_line_cubes_alone(finished):
    with finished.edited("src/mangrove/spectra/fit/ppxf/one_spectrum.py", code_edit):
        rules = finished.planned().rules
    assert rules["fit"] == 2
    seen = {"fit", "labels", "template_labels"} | LABELS_ON_THE_MAP | LABELS_OF_ANOMALIES
    assert set(rules) <= seen | set(rules_of("report")) | set(rules_of("emulator"))


def test_edited_label_physics_never_refits(finished):
    with finished.edited("src/mangrove/spectra/labels/surface_densities.py", code_edit):
        rules = finished.planned().rules
    assert rules["labels"] == 1
    seen = {"labels", "template_labels"} | LABELS_ON_THE_MAP | LABELS_OF_ANOMALIES
    assert set(rules) <= seen | set(rules_of("report")) | set(rules_of("emulator"))


def test_an_edited_training_never_refits(finished):
    with finished.edited("src/mangrove/models/training/steps.py", code_edit):
        rules = finished.planned().rules
    assert rules["emulator_train"] == rules["desom_train"] == 1 and rules["autoencoder_train"] == 2
    assert not {"emulator_table", "augmentation"} & set(rules)
    assert set(rules) <= {*rules_of("emulator"), *rules_of("desom"), *rules_of("convlstm")} | LAST_PAGES


def test_edited_reports_of_a_training_train_nothing(finished):
    bar_that_stays = "src/mangrove/models/training/reporting.py", lambda text: text.replace("leave=False", "leave=True")
    with finished.edited(*bar_that_stays):
        assert finished.planned().rules == {}


def test_an_edited_figure_of_the_emulator_is_drawn_again_without_training(finished):
    with finished.edited("src/mangrove/report/emulator.py", code_edit):
        rules = finished.planned().rules
    assert set(rules) == {"emulator_figures"} | LAST_PAGES


def test_an_edited_figure_of_the_autoencoders_is_drawn_again_without_training(finished):
    with finished.edited("src/mangrove/report/autoencoder_scores.py", code_edit):
        rules = finished.planned().rules
    assert set(rules) == {"autoencoder_figures"} | LAST_PAGES and rules["autoencoder_figures"] == 2


def test_other_settings_of_the_training_train_alone(finished):
    rules = finished.planned("--config", "emulator={'epochs': 2}").rules
    assert rules["emulator_train"] == 1
    # Nor a learning curve that nobody asked for, nor the map of the inputs, which knows of no training.
    assert not {"emulator_learning_curve", "emulator_embedding"} & set(rules)
    assert set(rules) <= set(rules_of("emulator")) - {"emulator_table"} | LAST_PAGES


def test_another_weight_of_the_map_trains_both_maps_and_nothing_before_them(finished):
    rules = finished.planned("--config", "desom={'gamma': 0.001}").rules
    assert {"desom_train", "desom_assign", "desom_maps", "fingerprints", "galaxy_map_train"} <= set(rules)
    assert set(rules) <= set(rules_of("desom")) | LAST_PAGES


def test_another_template_library_relabels_the_maps_and_trains_neither(finished, tmp_path):
    library = tmp_path / "library.h5"
    shutil.copyfile(finished.folder / "resources" / "mastar_ssp.h5", library)
    rules = finished.planned("--config", f"fit={{'templates': '{library}'}}").rules
    assert {"fit", "labels", "desom_maps", "template_labels"} <= set(rules)
    maps = {"training_spectra", "desom_train", "desom_assign", "fingerprints", "galaxy_map_train", "galaxy_map_assign"}
    assert not maps & set(rules)


def test_an_edited_figure_reruns_the_report_alone(finished):
    with finished.edited("src/mangrove/report/drawing.py", code_edit):
        rules = finished.planned().rules
    drawn = {"emulator_figures", "desom_figures", "galaxy_map_figures", "autoencoder_figures"}
    assert {"galaxy_figures", "survey_figures"} <= set(rules) <= {*rules_of("report")} | drawn


def test_an_edited_script_reruns_its_rule(finished):
    with finished.edited("workflow/scripts/line_cube.py", code_edit):
        rules = finished.planned().rules
    assert rules["line_cube"] == 2
    assert not {"extract", "fit", "training_spectra"} & set(rules)


def test_swapped_values_of_two_keys_are_a_change(finished):
    swap = "split={'validation_fraction': 0.2, 'test_fraction': 0.1}"
    rules = finished.planned("--config", swap).rules
    assert {"training_spectra", "line_cube_set"} <= set(rules)
    assert not set(rules) & {*PER_GALAXY, *rules_of("survey")}


def test_a_galaxy_more_runs_its_own_jobs_and_the_merges(finished):
    with finished.restored("samples/tiny.tsv") as path:
        path.write_text(sheet(REGULAR, TOO_FAINT, ADDED), encoding="utf-8")
        plan = finished.planned()
    assert all(plan.rules[rule] == 1 for rule in ["simulate", "download", *PER_GALAXY])
    assert {"training_spectra", "line_cube_set", "survey_figures"} <= set(plan.rules)
    assert f"fit {ADDED}" in plan.messages
    assert not [m for m in plan.messages if REGULAR in m or TOO_FAINT in m]


def test_another_redshift_of_one_galaxy_reruns_that_galaxy(finished):
    redshift = sheet(TOO_FAINT).splitlines()[1].split("\t")[2]
    with finished.edited("samples/tiny.tsv", lambda text: text.replace(redshift, "0.0301")):
        plan = finished.planned()
    assert {f"extract {TOO_FAINT}", f"fit {TOO_FAINT}", "merge the training spectra"} <= plan.messages
    assert not [m for m in plan.messages if REGULAR in m and not m.startswith("figures")]


def test_a_galaxy_less_drops_out_of_the_merges(finished):
    with finished.restored("samples/tiny.tsv") as path:
        path.write_text(sheet(REGULAR), encoding="utf-8")
        rules = finished.planned().rules
    assert {"training_spectra", "line_cube_set", "survey_figures"} <= set(rules)
    assert not set(rules) & {*PER_GALAXY, *rules_of("survey"), "galaxy_figures"}


def test_planning_leaves_alone_what_a_running_job_is_writing(finished):
    """A part of a file in the run's folder may be of a job that runs; a real run, which locks the folder, sweeps."""
    part = finished.run / "spectra/extract/.x.h5.0123.part"
    part.write_bytes(b"half")
    assert finished.planned().rules == {}
    assert part.exists()
    finished.snakemake("--forcerun", "provenance")
    assert not part.exists()


def test_kept_raw_cubes_count_by_name_not_by_time(finished):
    """Cubes from an archive: a newer copy of one that is there already extracts nothing again."""
    cube = next((finished.folder / "data").rglob(f"*{TOO_FAINT}*.fits.gz")).resolve()
    header, row = (line.split("\t") for line in sheet(TOO_FAINT).splitlines())
    finished.write("samples/local.tsv", "\t".join([*header, "path"]) + "\n" + "\t".join([*row, str(cube)]) + "\n")
    finished.write("configs/local.yaml", "run: local\nsurvey: {source: files, base: /, link: true}\n")
    finished.snakemake("--until", "extract", config="configs/local.yaml")
    (finished.folder / f"data/local/{TOO_FAINT}.fits").touch()
    cube.touch()
    assert not {"extract", "download"} & set(finished.planned(config="configs/local.yaml").rules)


def test_another_run_of_the_simulated_survey_disturbs_nothing(finished):
    twin = f"run: twin\nsurvey: {{source: simulated}}\nsample: {{sheet: samples/tiny.tsv, plateifus: [{TOO_FAINT}]}}\n"
    finished.write("configs/twin.yaml", twin)
    finished.snakemake("--until", "download", config="configs/twin.yaml")
    assert finished.planned().rules == {}
