"""Commands for people: ``mangrove --help``."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from mangrove import outputs, paths
from mangrove.errors import MangroveError, OutputError, SampleError
from mangrove.explore_command import explore
from mangrove.runs import in_work_folder, load_config, run_folder


def _path(text: str | Path) -> Path:
    """A path by the rule for keys of the configuration: the shell leaves ``~`` alone in ``--out=~/maps``."""
    try:
        return Path(paths.local(str(text)))
    except ValueError as error:
        raise typer.BadParameter(f"{text} {error}") from None


app = typer.Typer(no_args_is_help=True, add_completion=False, help="MaNGA galaxies, from data cubes to maps.")
ConfigOption = Annotated[
    list[Path], typer.Option("--config", parser=_path, help="configuration file, overrides config.yaml; repeatable")
]
AnyConfig = Annotated[
    list[Path] | None,
    typer.Option(
        "--config", parser=_path, help="configuration of the run, repeatable; default: as recorded by the run"
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="replace files even if this command did not write them")]


def _print_version(asked: bool) -> None:
    if asked:
        print(f"mangrove {version('mangrove')}")
        raise typer.Exit


@app.callback()
def options(
    asked: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and exit")
    ] = False,
):
    """Options that stand before a command."""


@app.command()
def select(
    config: ConfigOption,
    drpall: Annotated[str, typer.Option(help="path or address of drpall; default: the archive's")] = "",
    force: ForceOption = False,
):
    """Write the sample sheet of a run from the survey's catalogues."""
    from mangrove.survey import selection
    from mangrove.survey.sample import is_as_written, lists, write_sheet

    run = load_config(config)
    chosen = selection.make_sample(run, drpall)
    print("\n".join(selection.summary(chosen, run.sample)))
    if not chosen.galaxies:
        raise SampleError(
            f"no galaxies are left after the cuts above, so {run.sheet} was not written. Widen the redshift range: lower "
            "sample.z_min or raise sample.z_max."
        )
    if lists(run.sheet, chosen.galaxies):
        print(f"{run.sheet} already lists these galaxies and was not changed")
        return
    product = "a sheet as mangrove select wrote it (it was made or changed by hand)"
    outputs.check(run.sheet, is_as_written, product, config, force)
    write_sheet(run.sheet, chosen.galaxies)
    print(f"wrote {run.sheet}")


@app.command()
def plan(
    config: ConfigOption,
    cores: Annotated[int, typer.Option(min=1, help="number of processor cores")] = 8,
    rate: Annotated[float, typer.Option(min=0.001, help="download rate, MB/s")] = 20.0,
    addresses: Annotated[bool, typer.Option(help="print the address of every cube")] = False,
):
    """Print what a run will download and from where, and the disk space and time it will take."""
    from mangrove.survey import plan as planning

    print("\n".join(planning.describe(load_config(config), cores, rate, addresses)))


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(parser=_path, metavar="FOLDER")],
    galaxies: Annotated[int, typer.Option(min=1, help="number of galaxies")] = 15,
    release: Annotated[str, typer.Option(help="data release whose layout is used: dr15 or dr17")] = "dr17",
    seed: Annotated[int, typer.Option(min=0, help="seed of all random draws")] = 1,
    force: ForceOption = False,
):
    """Write the simulated survey: a sas/ tree with drpall and cubes, and the truth beside it."""
    from mangrove.survey.simulation.design import survey_plateifus
    from mangrove.survey.simulation.files import is_simulated, simulate_survey, survey_files

    names = survey_plateifus(galaxies)
    for file in survey_files(folder, names, release):
        outputs.check(file, is_simulated, "a file of the simulated survey", force=force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        simulate_survey(folder, names, release, seed)
    except OSError as error:
        raise MangroveError(
            f"cannot write a survey under {folder} ({error}). Give a folder, new or existing, that you can write to."
        ) from error
    print(f"wrote {folder}")


@app.command()
def export(
    run: Annotated[str, typer.Argument(help="name of the run, or its folder")],
    config: AnyConfig = None,
    out: Annotated[
        Path | None, typer.Option(parser=_path, help="output folder; default: export/ in that of the run")
    ] = None,
    maps: Annotated[bool, typer.Option(help="write label maps, one file per galaxy")] = True,
    force: ForceOption = False,
):
    """Write the tables of galaxies and baxels and the label maps of a run as FITS files."""
    from mangrove.export.products import export_run
    from mangrove.export.source import recorded_config

    folder = run_folder(run)
    files = [file.absolute() for file in config or []]
    with in_work_folder(folder, out or folder / "export") as (folder, target):
        settings = load_config(files) if files else recorded_config(folder)
        _check_export(target, settings.run, force)
        written = export_run(folder, settings, target, maps)
    print(f"wrote {written[0]}, {written[1]} and {len(written) - 2} files of maps")


@app.command()
def augment(
    run: Annotated[str, typer.Argument(help="name of the run, or its folder")],
    galaxy: Annotated[str, typer.Option(metavar="PLATEIFU", help="the galaxy")],
    copy: Annotated[int, typer.Option(help="number of the copy; 0 is the cube itself")],
    config: AnyConfig = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=_path, help="FITS file to write; default: in export/copies/ in the folder of the run"),
    ] = None,
    force: ForceOption = False,
):
    """Write one of the copies of a line cube that the autoencoders of a run are trained on (docs/autoencoders.md)."""
    from mangrove.export.augmented_cube import FILE, augmented_cube, check_name, is_copy
    from mangrove.export.fits_files import write_fits
    from mangrove.export.source import recorded_config

    folder, files = run_folder(run), [file.absolute() for file in config or []]
    default = folder / FILE.format(plateifu=galaxy, copy=copy)
    with in_work_folder(folder, out or default) as (folder, target):
        check_name(target)
        settings = load_config(files) if files else recorded_config(folder, "augment RUN --galaxy PLATEIFU --copy N")
        hdus = augmented_cube(folder, galaxy, copy, settings)
        outputs.check(target, is_copy, "a copy as written by mangrove augment", force=force)
        write_fits(target, hdus)
    print(f"wrote {target}")


@app.command(name="predict-lines")
def predict_lines(
    model: Annotated[
        Path,
        typer.Argument(parser=_path, metavar="MODEL", help="folder of a trained emulator: results/RUN/emulator/model"),
    ],
    table: Annotated[
        Path, typer.Argument(parser=_path, metavar="TABLE", help="FITS, ECSV or HDF5 with fluxes in the model's bins")
    ],
    out: Annotated[Path, typer.Argument(parser=_path, metavar="OUT", help="file to write: FITS, ECSV or HDF5")],
    force: ForceOption = False,
):
    """Predict the emission lines of the galaxies of a table (docs/emulator.md)."""
    from mangrove.models.emulator.prediction_files import is_prediction, predict_file

    outputs.check(out, is_prediction, "a table as written by mangrove predict-lines", [table], force)
    written = predict_file(model, table, out)
    print(f"wrote {out}: {len(written)} rows, {int((written['flag'] > 0).sum())} of them flagged")


@app.command()
def assign(
    spectra: Annotated[
        list[Path],
        typer.Argument(
            parser=_path, metavar="SPECTRUM...", help="files: FITS table (SDSS spec-*.fits too), HDF5 or CSV"
        ),
    ],
    model: Annotated[Path, typer.Option(parser=_path, help="folder of a trained map of spectra: results/RUN/desom")],
    out: Annotated[
        list[Path] | None,
        typer.Option(parser=_path, help="file to write: table (ECSV, FITS, CSV) or JSON; repeatable"),
    ] = None,
    z: Annotated[float | None, typer.Option(help="redshift of all spectra; default: as their files say")] = None,
    ebv: Annotated[float | None, typer.Option(min=0, help="Galactic E(B-V), mag, whose extinction is removed")] = None,
    fwhm: Annotated[
        float | None,
        typer.Option(min=0, help="line spread of all spectra, FWHM in Angstrom; default: as their files say"),
    ] = None,
    air: Annotated[
        bool | None, typer.Option("--air/--vacuum", help="wavelengths; default: as the files say, or vacuum")
    ] = None,
    force: ForceOption = False,
):
    """Place spectra on a map of spectra: their node, how typical they are, and the labels of that node (docs/desom.md)."""
    from mangrove.notebook import placement_files as files
    from mangrove.notebook.spectrum_map import open_map

    for path in out or []:
        files.check_name(path)
        outputs.check(path, files.is_own, "a file as written by mangrove assign", spectra, force)
    spectrum_map, outcomes = open_map(model), []
    for outcome in files.place_files(spectrum_map, spectra, files.Options(z, ebv, fwhm, air)):
        print("\n".join(files.summary(outcome, spectrum_map)))
        outcomes.append(outcome)
    for path in out or []:
        files.write(path, outcomes, spectrum_map)
        print(f"wrote {path}")
    if not any(outcome.place for outcome in outcomes):
        raise typer.Exit(1)


@app.command()
def anomalies(
    run: Annotated[str, typer.Argument(help="name of the run, or its folder")],
    network: Annotated[str, typer.Option(help="ae: the autoencoder; vae: the variational one")] = "ae",
    n: Annotated[int, typer.Option("-n", min=1, help="number of galaxies")] = 20,
    score: Annotated[
        str, typer.Option(metavar="NAME", help="score that ranks them: see docs/autoencoders.md")
    ] = "relative",
):
    """Print the galaxies of a run whose line cubes are the most anomalous, and why (docs/autoencoders.md)."""
    from mangrove.notebook.latent_space import LatentSpaceResults
    from mangrove.printed_tables import print_table

    found = LatentSpaceResults(run_folder(run)).anomalies(network, score)
    shown = found["rank", "plateifu", score, f"{score}_percentile", "reason", "causes"][:n]
    shown.rename_column(f"{score}_percentile", "percentile")
    print_table(shown, f"most anomalous of {len(found)} galaxies ({network}, {score})", {"percentile": ".1f"})


@app.command()
def neighbours(
    plateifu: Annotated[str, typer.Argument(metavar="PLATEIFU", help="the galaxy")],
    run: Annotated[str, typer.Argument(help="name of the run, or its folder")],
    network: Annotated[str, typer.Option(help="ae: the autoencoder; vae: the variational one")] = "ae",
    space: Annotated[
        str,
        typer.Option(help="distances between: latent, invariant (their mean over flips and turns), umap (the map)"),
    ] = "latent",
    n: Annotated[int, typer.Option("-n", min=1, help="number of neighbours")] = 10,
):
    """Print the galaxies of a run whose line cubes are most like that of a galaxy (docs/autoencoders.md)."""
    from mangrove.notebook.latent_space import LatentSpaceResults
    from mangrove.printed_tables import print_table

    found = LatentSpaceResults(run_folder(run)).neighbours(plateifu, network, space, n)
    print_table(found, f"nearest to {plateifu} ({network}, {space})", {"z": ".4f", "percentile": ".1f"})
    if n > found.meta["n_kept"]:
        print(f"the run keeps {found.meta['n_kept']} neighbours of each galaxy (embedding.n_neighbour)")


@app.command(name="desi-table")
def desi_table(
    catalogue: Annotated[Path, typer.Argument(parser=_path, metavar="CATALOGUE", help="FastSpecFit catalogue (FITS)")],
    out: Annotated[
        Path, typer.Argument(parser=_path, metavar="OUT", help="table to write (.h5), for emulator.desi_file")
    ],
    coadds: Annotated[
        list[Path],
        typer.Argument(parser=_path, metavar="COADDS...", help="files of coadded spectra (coadd-*.fits)"),
    ],
    ebv_scale: Annotated[float, typer.Option(min=0, help="factor applied to the Galactic E(B-V)")] = 1.0,
    force: ForceOption = False,
):
    """Make the emulator's table from DESI spectra and their FastSpecFit catalogue."""
    from mangrove.models.emulator.desi_table import write_desi_table

    if out.suffix != ".h5":
        raise OutputError(
            f"the table is an HDF5 file, so its name must end in .h5, unlike {out}. The order of the arguments is: mangrove "
            "desi-table CATALOGUE OUT COADDS..."
        )
    product = "a table as written by mangrove desi-table"
    outputs.check(out, lambda path: outputs.is_artefact(path, "emulator_table"), product, [catalogue, *coadds], force)
    written = write_desi_table(catalogue, coadds, out, ebv_scale)
    for reason, n in written.removed.items():
        print(f"{n:7d} left out: {reason}")
    print(f"wrote {out}: {len(written.table.identifier)} galaxies")


@app.command()
def verify(
    run: Annotated[str, typer.Argument(help="name of the run, or its folder")],
    config: Annotated[
        list[Path] | None,
        typer.Option(
            "--config",
            parser=_path,
            help="configuration of the run, repeatable; default: the file in configs/ that has its name",
        ),
    ] = None,
):
    """Compare a run's artefacts with their recorded hashes, their inputs, and what the workflow would use now."""
    from mangrove.verification import against_workflow, verify_run

    folder = run_folder(run)
    report, current = verify_run(folder), against_workflow(folder, config)
    problems = [*report.problems, *current.problems]
    for line in [*problems, current.note]:
        print(line)
    print(f"{report.checked} artefacts and models checked, {len(problems)} problems")
    if problems:
        raise typer.Exit(1)


@app.command()
def digest(run: Annotated[str, typer.Argument(help="name of the run, or its folder")]):
    """Print the statuses of the artefacts and the unique failures in the logs, with counts."""
    from mangrove import logs
    from mangrove.verification import count_statuses

    folder = run_folder(run)
    for (kind, status, reason), n in sorted(count_statuses(folder).items()):
        print(f"{n:7d} {kind}: {status}" + (f" ({reason})" if reason else ""))
    for (rule, message, place), n in logs.failures(folder / "logs").most_common():
        print(f"{n:7d} FAILED {rule}: {message}  [{place}]")


app.command()(explore)


@app.command()
def doctor(
    checks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHECK]...",
            help="environment, devices, config, disk, templates, archive, locks, leftovers, artefacts; default: all",
        ),
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option(
            "--config", parser=_path, help="configuration of a run, repeatable; default: all runs with results here"
        ),
    ] = None,
):
    """Say what is wrong with the installation, this folder and its runs, and how to mend it; exit status 1 if something is."""
    from mangrove.doctor.command import examine

    if not examine(config or [], checks or []):
        raise typer.Exit(1)


@app.command(hidden=True)
def generate(root: Annotated[Path, typer.Argument(parser=_path, metavar="ROOT")] = Path()):
    """Write the files that are generated from the code (config.yaml, its schema, tables of the docs)."""
    from mangrove.generate import generate as write_all

    if not ((root / "Snakefile").is_file() and (root / "src/mangrove/config.py").is_file()):
        raise MangroveError(
            f"{root.absolute()} is not a checkout of mangrove, in which this command writes files. Run it at the top of one."
        )
    print("\n".join(write_all(root)) or "nothing changed")


def _check_export(target: Path, run: str, force: bool) -> None:
    """Refuse to replace what is not an earlier export of the run."""
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file; give --out a folder, new or existing.")

    def is_own(path: Path) -> bool:
        return outputs.is_fits(path, lambda header: (header.get("ORIGIN"), header.get("RUN")) == ("mangrove", run))

    tables = [target / "galaxies.fits", target / "baxels.fits"]
    for file in [*tables, *sorted((target / "maps").glob("*.fits*"))]:
        outputs.check(file, is_own, f"an export of run '{run}'", force=force)


def main() -> None:
    """Run a command; a user's mistake ends with its message and no traceback."""
    try:
        app()
    except MangroveError as error:
        sys.exit(f"{type(error).__name__}: {error}")
