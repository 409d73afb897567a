"""Commands for people: ``mangrove --help``."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from mangrove.errors import MangroveError, SampleError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="MaNGA galaxies, from data cubes to maps.")
ConfigOption = Annotated[list[Path], typer.Option("--config", help="configuration file, over config.yaml; repeatable")]


def _print_version(asked: bool) -> None:
    if asked:
        print(f"mangrove {version('mangrove')}")
        raise typer.Exit


@app.callback()
def options(
    asked: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and end")
    ] = False,
):
    """Options that stand before a command."""


@app.command()
def select(
    config: ConfigOption,
    drpall: Annotated[str, typer.Option(help="path or address of drpall; default: the archive's")] = "",
):
    """Write the sample sheet of a run from the survey's catalogues."""
    from mangrove.survey import selection
    from mangrove.survey.sample import write_sheet

    run = _load(config)
    chosen = selection.make_sample(run, drpall)
    print("\n".join(selection.summary(chosen, run.sample)))
    if not chosen.galaxies:
        raise SampleError(
            f"no galaxy is left after the cuts above; {run.sheet} was not written. Widen sample.z_min, sample.z_max."
        )
    write_sheet(run.sheet, chosen.galaxies)
    print(f"wrote {run.sheet}")


@app.command()
def plan(
    config: ConfigOption,
    cores: Annotated[int, typer.Option(min=1, help="processor cores")] = 8,
    rate: Annotated[float, typer.Option(min=0.001, help="rate of the download, MB/s")] = 20.0,
    addresses: Annotated[bool, typer.Option(help="print the address of every cube")] = False,
):
    """Print what a run will fetch and from where, its size on disk and its time."""
    from mangrove.survey import plan as planning

    print("\n".join(planning.describe(_load(config), cores, rate, addresses)))


@app.command()
def simulate(
    folder: Path,
    galaxies: Annotated[int, typer.Option(min=1, help="number of galaxies")] = 15,
    release: Annotated[str, typer.Option(help="dr15 or dr17: the layout")] = "dr17",
    seed: Annotated[int, typer.Option(min=0, help="seed of every random draw")] = 1,
):
    """Write the simulated survey: a sas/ tree with drpall and cubes, and the truth beside it."""
    from mangrove.survey.simulation.galaxies import survey_plateifus
    from mangrove.survey.simulation.simulate import simulate_survey

    try:
        folder.mkdir(parents=True, exist_ok=True)
        simulate_survey(folder, survey_plateifus(galaxies), release, seed)
    except OSError as error:
        raise MangroveError(
            f"cannot write a survey under {folder} ({error}). Give a folder, new or existing, that you may write to."
        ) from error
    print(f"wrote {folder}")


@app.command()
def export(
    run: Annotated[str, typer.Argument(help="name of the run, or its folder")],
    config: Annotated[
        list[Path] | None, typer.Option(help="configuration of the run, repeatable; default: as the run noted it")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the files; default: export/ in the run's")] = None,
    maps: Annotated[bool, typer.Option(help="a file of label maps for every galaxy")] = True,
):
    """Write the tables of galaxies and baxels and the label maps of a run as FITS files."""
    from mangrove.export.products import export_run
    from mangrove.export.source import recorded_config

    folder = _run_folder(run)
    files = export_run(folder, _load(config) if config else recorded_config(folder), out or folder / "export", maps)
    print(f"wrote {files[0]}, {files[1]} and {len(files) - 2} files of maps")


@app.command(name="predict-lines")
def predict_lines(
    model: Annotated[Path, typer.Argument(help="folder of a trained emulator: results/RUN/emulator/model")],
    table: Annotated[Path, typer.Argument(help="FITS, ECSV or HDF5 with fluxes in the model's bins")],
    out: Annotated[Path, typer.Argument(help="FITS, ECSV or HDF5 to write")],
):
    """Predict the emission lines of the galaxies of a table (docs/emulator.md)."""
    from mangrove.models.line_files import predict_file

    out.parent.mkdir(parents=True, exist_ok=True)
    written = predict_file(model, table, out)
    print(f"wrote {out}: {len(written)} rows, {int((written['flag'] > 0).sum())} of them flagged")


@app.command(name="desi-table")
def desi_table(
    catalogue: Annotated[Path, typer.Argument(help="FastSpecFit catalogue (FITS)")],
    out: Annotated[Path, typer.Argument(help="table to write (.h5), for emulator.desi_file")],
    coadds: Annotated[list[Path], typer.Argument(help="files of coadded spectra (coadd-*.fits)")],
    ebv_scale: Annotated[float, typer.Option(help="factor on the Galactic E(B-V)")] = 1.0,
):
    """Make the emulator's table from DESI spectra and their FastSpecFit catalogue."""
    from mangrove.models.desi_files import write_desi_table

    print(f"wrote {out}: {write_desi_table(catalogue, coadds, out, ebv_scale)} galaxies")


@app.command()
def verify(
    run: Annotated[str, typer.Argument(help="name of the run, or its folder")],
    config: Annotated[
        list[Path] | None,
        typer.Option(help="configuration of the run, repeatable; default: the file of configs/ with its name"),
    ] = None,
):
    """Compare a run's artefacts with their recorded hashes, their inputs, and what the workflow would use now."""
    from mangrove.verification import against_workflow, verify_run

    folder = _run_folder(run)
    report, current = verify_run(folder), against_workflow(folder, config)
    problems = [*report.problems, *current.problems]
    for line in [*problems, current.note]:
        print(line)
    print(f"{report.checked} artefacts checked, {len(problems)} problems")
    if problems:
        raise typer.Exit(1)


@app.command()
def digest(run: Annotated[str, typer.Argument(help="name of the run, or its folder")]):
    """Print the status of every galaxy's artefacts, and the unique failures in the logs, with counts."""
    from mangrove import logs
    from mangrove.verification import count_statuses

    folder = _run_folder(run)
    for (kind, status, reason), n in sorted(count_statuses(folder).items()):
        print(f"{n:7d} {kind}: {status}" + (f" ({reason})" if reason else ""))
    for (rule, message, place), n in logs.failures(folder / "logs").most_common():
        print(f"{n:7d} FAILED {rule}: {message}  [{place}]")


@app.command()
def doctor():
    """Say what keeps Snakemake from starting here, and how to mend it."""
    locks = sorted(Path(".snakemake/locks").glob("*")) if Path(".snakemake/locks").is_dir() else []
    if locks:
        print(
            "Snakemake's folder is locked. If no snakemake runs here (check with 'ps'), a killed one left the lock:\n"
            "  snakemake --unlock        and start again; incomplete files are made anew"
        )
        raise typer.Exit(1)
    print("no lock; nothing to mend")


@app.command(hidden=True)
def generate(root: Path = Path()):
    """Write the files that are generated from code (config.yaml, schema, docs tables)."""
    from mangrove.generate import generate as write_all

    print("\n".join(write_all(root)) or "nothing changed")


def _load(files: list[Path]):
    from mangrove.config_files import load

    return load([Path("config.yaml"), *files])


def _run_folder(run: str) -> Path:
    """The folder of a run: results/RUN, else a folder of that name that holds artefacts or logs."""
    from mangrove.verification import is_run

    results = Path("results")
    for folder in (results / run, Path(run)):
        if folder.is_dir() and is_run(folder):
            return folder
    runs = [path.name for path in sorted(results.glob("*/")) if is_run(path)]
    here = f"The runs here: {', '.join(runs)}." if runs else "There is no run here: start one with snakemake."
    raise MangroveError(
        f"neither {results / run} nor {run} is a folder with artefacts. Give the name of a run, or its folder. {here}"
    )


def main() -> None:
    """Run a command; a user's mistake ends with its message and no traceback."""
    try:
        app()
    except MangroveError as error:
        sys.exit(f"{type(error).__name__}: {error}")
