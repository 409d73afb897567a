"""What the code hash of each rule covers: what it computes with, and nothing else."""

import ast
import importlib.util
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mangrove"
#: Rules that draw, or tell of the run: they compute nothing that another rule takes.
REPORTING = {
    "autoencoder_figures",
    "autoencoder_truth_figures",
    "desom_figures",
    "digest",
    "emulator_figures",
    "galaxy_figures",
    "galaxy_map_figures",
    "label_recovery",
    "overview",
    "provenance",
    "recovery",
    "survey_figures",
}
#: Where the galaxies of a survey come from: known before any job starts, they reach a rule through its params.
CHOICE = ("survey.archive", "survey.catalogues", "survey.galaxy", "survey.sample", "survey.selection", "survey.tables")
DESI = ("models.emulator.desi_table", "survey.desi", "survey.desi_fits", "survey.fastspecfit")


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("closures", ROOT / "tools" / "closures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def closures(tool):
    return tool.closures()


def within(modules, rooms) -> set[str]:
    """Those that are, or lie in, one of some modules and rooms."""
    return {m for m in modules for room in rooms if m == room or m.startswith(f"{room}.")}


def test_closures_are_as_listed(tool, closures):
    listed = tomllib.loads(tool.LISTED.read_text(encoding="utf-8"))
    changes = [
        f"{script}: {sign} {module}"
        for script in sorted({*listed, *closures})
        for sign, one, other in (("+", closures, listed), ("-", listed, closures))
        for module in sorted(set(one.get(script, [])) - set(other.get(script, [])))
    ]
    assert not changes, (
        "the code hashes of these rules cover more (+) or less (-) than tests/closures.toml lists:\n  "
        + "\n  ".join(changes)
        + "\nDoes the rule compute with the new module? If not, move what it needs out of it (docs/developing.md). "
        "If so, accept it by 'make closures'."
    )
    assert sorted(listed) == sorted(closures)


def test_the_list_reads_back_as_it_was_written(tool, closures):
    assert tomllib.loads(tool.as_toml(closures)) == closures
    assert set(closures) == {path.stem for path in (ROOT / "workflow" / "scripts").glob("*.py")} - {"download"}


def test_an_edit_of_one_engine_refits_nothing_of_the_other(closures):
    """What they share lies beside them."""
    rooms = {"fit": "spectra.fit.ppxf", "fit_batched": "spectra.fit.batched"}
    for script, other in (("fit", "fit_batched"), ("fit_batched", "fit")):
        assert within(closures[script], [rooms[script]])
        assert not within(closures[script], [rooms[other], "spectra.fit.engines"])


def test_which_galaxies_are_fitted_together_refits_none(closures):
    assert "spectra.fit.batched.membership" not in closures["fit_batched"]


@pytest.mark.parametrize(
    "script", ["extract", "fit", "fit_batched", "labels", "line_cube", "training_spectra", "line_cube_set"]
)
def test_how_galaxies_are_chosen_and_fetched_reruns_no_galaxy(closures, script):
    assert not within(closures[script], CHOICE)


def test_readers_of_desi_retrain_no_emulator(closures):
    assert not within(closures["emulator_train"], DESI)


def test_figures_and_exports_rerun_no_computation(closures):
    above = {script: within(modules, ("report", "export", "notebook")) for script, modules in closures.items()}
    assert {script: modules for script, modules in above.items() if modules and script not in REPORTING} == {}


def test_rules_of_training_alone_cover_how_prototypes_move(closures):
    """Label PDFs and figures need the grid or the cooling, no more."""
    for script in ("desom_maps", "desom_figures", "galaxy_map_figures"):
        assert not within(closures[script], ("models.desom.som", "models.desom.loss", "models.emulator")), script


def test_figures_of_one_part_are_not_drawn_anew_for_another(closures):
    assert not {m for m in closures["desom_figures"] if m.startswith(("report.emulator", "validation.emulator"))}
    assert not {m for m in closures["galaxy_map_figures"] if m.startswith(("report.emulator", "report.desom"))}
    others = ("report.emulator", "report.desom", "report.galaxy_map", "models.desom", "models.emulator")
    assert not {m for m in closures["autoencoder_figures"] if m.startswith(others)}


def test_umap_is_for_the_rules_that_embed(closures):
    """It takes seconds to import and minutes to run."""
    files = {
        script: [PACKAGE.joinpath(*m.split(".")).with_suffix(".py") for m in ms] for script, ms in closures.items()
    }
    scripts = ROOT / "workflow" / "scripts"
    embedding = {s for s, paths in files.items() if any(map(imports_umap, [scripts / f"{s}.py", *paths]))}
    assert embedding == {"embedding", "emulator_embedding"}


def imports_umap(path: Path) -> bool:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return any(
        (isinstance(node, ast.ImportFrom) and node.module == "umap")
        or (isinstance(node, ast.Import) and any(alias.name == "umap" for alias in node.names))
        for node in nodes
    )


def test_scripts_hold_no_science():
    """Imports, main, and the lines that adapt the snakemake object."""
    for path in sorted((ROOT / "workflow" / "scripts").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 45, path.name
        defined = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assert defined == ["main"], path.name
