# Configuration, sample sheet, code hashes, paths: everything the other rules take their values from.
import gc
import hashlib
import inspect
import os
import sys
from base64 import urlsafe_b64encode
from functools import cache
from pathlib import Path
from types import SimpleNamespace

# The package beside this workflow, for the rules and for the scripts, which are processes of their own: what runs
# is what is hashed, whichever mangrove is installed.
SOURCE = str(Path(workflow.basedir) / "src")
sys.path.insert(0, SOURCE)
os.environ.update(
    PYTHONPATH=os.pathsep.join([SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])])
)

from snakemake.io import _IOFile, strip_wildcard_constraints

from mangrove import (
    artefacts,
    codehash,
    config_files,
    file_times,
    logs,
    paths,
    staleness,
)
from mangrove.errors import MangroveError
from mangrove.gpu import has_gpu
from mangrove.models.convlstm.line_names import demand_known_lines
from mangrove.ssp import loading as libraries
from mangrove.spectra.fit.batched.kept import forget_others
from mangrove.spectra.fit.batched.membership import chunks
from mangrove.spectra.fit.batched.memory import job_memory
from mangrove.spectra.fit.settings import FitSettings
from mangrove.survey import plan as planning
from mangrove.survey import releases
from mangrove.survey.galaxy import AGN_FLAGS, GALAXY_NAME
from mangrove.survey.sample import read_sheet

# The graph of a survey is millions of objects that live to the end: looking for garbage less often plans faster.
gc.set_threshold(200_000, 20, 1000)


def load_run():
    """The validated configuration and the galaxies of its sample sheet; a user's mistake ends with its message."""
    try:
        # Later files win: the workflow's own, then those of the command line, then --config.
        given = [*map(config_files.shown, workflow.overwrite_configfiles)]
        own = [
            f for f in map(config_files.shown, workflow.configfiles) if f not in given
        ]
        validated = config_files.validate(
            config, [*own, *given], workflow.config_settings.config
        )
        config_files.check(validated)
        demand_known_lines(validated.autoencoder.lines)
        # A run without cubes is the emulator on a table alone.
        return validated, (
            {} if validated.survey.source == "none" else read_sheet(validated)
        )
    except MangroveError as error:
        sys.exit(f"{type(error).__name__}: {error}")


CONFIG, GALAXIES = load_run()
RESULTS = f"results/{CONFIG.run}"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
REPORT = f"{RESULTS}/report"
RELEASE = releases.release(CONFIG.survey.release)

# Simulated spectra come without cubes: rules/simulated_spectra.smk makes the extracts.
WITHOUT_CUBES = CONFIG.survey.source == "simulated_spectra"
# Simulated line cubes alone: rules/simulated_line_cubes.smk makes them, and only the autoencoders run.
LINE_CUBES_ONLY = CONFIG.survey.source == "simulated_line_cubes"
# Files of rules, in their order: where spectra and line cubes come from, then what is made of them.
PARTS = [
    *(
        ["simulated_spectra"]
        if WITHOUT_CUBES
        else [] if LINE_CUBES_ONLY else ["survey", "extract"]
    ),
    "simulated_line_cubes" if LINE_CUBES_ONLY else "line_cubes",
    "fit" if CONFIG.fit.engine == "ppxf" else "fit_batched",
    *("spectra", "desom", "emulator", "convlstm"),
    *(["autoencoder_truth"] if LINE_CUBES_ONLY else []),
    "report",
]
# Whether there are galaxies with baxels: extracts, fits, labels.
WITH_BAXELS = bool(GALAXIES) and not LINE_CUBES_ONLY
SIMULATED = CONFIG.survey.source == "simulated" or WITHOUT_CUBES or LINE_CUBES_ONLY
ARCHIVE = f"{RESULTS}/archive"
# Kept cubes of the archive are shared by runs, one level per DRP version; simulated and local ones are a run's own.
STORE = f"{CONFIG.survey.data_folder}/{RELEASE.drpver if CONFIG.survey.source == 'sdss' else CONFIG.run}"
CUBES = STORE if CONFIG.survey.keep_cubes else f"{RESULTS}/scratch"
CUBE = (
    f"{CUBES}/{{plateifu}}.fits"
    if CONFIG.survey.source == "files"
    else f"{CUBES}/manga-{{plateifu}}-LOGCUBE.fits.gz"
)
EXTRACT = f"{RESULTS}/spectra/extract/{{plateifu}}.h5"
FIT = f"{RESULTS}/spectra/fit/{{plateifu}}.h5"
LINE_CUBE_SET = f"{RESULTS}/spectra/line_cube_set.h5"
# Local cubes of a simulated survey are linked, never copied.
LINK = CONFIG.survey.link or SIMULATED
TRUTHS = (
    [f"{ARCHIVE}/truth/{name}.h5" for name in GALAXIES]
    if SIMULATED and WITH_BAXELS
    else []
)


# Categories of the report and their subcategories, in the order of the report. Snakemake sorts them by name, which is
# why the names begin with numbers there.
CATEGORIES = {
    "Survey": ["All galaxies", "Single galaxies"],
    "Spectra": ["Single galaxies", "Fits", "Training spectra", "Truth"],
    "Spectral map": ["Nodes", "Labels", "Quality", "Truth"],
    "Galaxy map": ["Nodes", "Quality"],
    "Anomalies": ["Anomalous galaxies", "Galaxies alike", "Networks", "Truth"],
    "Emulator": ["Predictions", "Quality", "Training", "Truth"],
    "Run health": ["First page", "Cost and failures"],
}


@cache
def code(name):
    """Hash of what the script of a rule runs (see mangrove.codehash)."""
    return codehash.code_hash(f"{workflow.basedir}/workflow/scripts/{name}.py")


def signed(function):
    """The function with its signature noted: Snakemake asks for it several times per job (a sixth of the planning)."""
    function.__signature__ = inspect.signature(function)
    return function


def unrecorded(value):
    """A params function whose value makes no result old: Snakemake leaves out those that take ``output``."""
    return signed(lambda wildcards, output: value)


def galaxy(key):
    """A params function: one value of the galaxy's row in the sample sheet."""
    return signed(lambda wildcards: getattr(GALAXIES[wildcards.plateifu], key))


def give_to_rules(names, entry):
    """Let one entry of --set-resources and --set-threads, in a profile too, stand for several rules."""
    given = workflow.resource_settings
    for one in (one for one in workflow.rules if one.name in names):
        one.resources.update(given.overwrite_resources.get(entry, {}))
        if entry in given.overwrite_threads:
            one.resources["_cores"] = given.overwrite_threads[entry]


def hash_files_once():
    """Let Snakemake hash a file once while it stays as it is.

    It asks for the hash of each input of a job once for each output: for a chunk of 64 galaxies, 64 times.
    """
    ask, known = _IOFile.checksum, {}

    async def checksum(file, *arguments, **options):
        try:
            stat = os.stat(file.file)
        except OSError:
            return await ask(file, *arguments, **options)
        key = (str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino)
        key += (*arguments, *options.items())
        if key not in known:
            known[key] = await ask(file, *arguments, **options)
        return known[key]

    _IOFile.checksum = checksum


def mend_slurm_arrays():
    """Where Snakemake has its plugin for Slurm, let it submit arrays that can be relied on."""
    if plugin := sys.modules.get("snakemake_executor_plugin_slurm"):
        sys.path.insert(0, f"{workflow.basedir}/workflow")
        import slurm_arrays

        slurm_arrays.mend(plugin)


def bind_values_to_keys():
    """Give every rule that has a code hash one more param, which binds the values of the others to their keys.

    Snakemake compares the set of a job's values: two keys that swap theirs, or a key that takes a value which another
    one has as well, would go unseen.
    """
    for one in workflow.rules:
        if "code" in one.params.keys():
            recorded = {k: v for k, v in one.params.items() if not is_unrecorded(v)}
            one.set_params(key_hash(recorded))


def digest_of(values):
    """Hash of plain values."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def key_hash(params):
    """Hash of the keys and values of a job's params; a params function where some of these are functions."""
    varied = {key: value for key, value in params.items() if callable(value)}

    def digest(wildcards):
        return digest_of(
            params | {key: value(wildcards) for key, value in varied.items()}
        )

    return signed(digest) if varied else digest(None)


def expected(names):
    """What the rules would write now for some of the galaxies: their artefacts and models, with params."""
    for one in workflow.rules:
        if one.name in CHUNK_RULES:
            yield fits_of_chunk(one, names)
            continue
        made = [
            strip_wildcard_constraints(f)
            for f in map(str, one.output)
            if Path(f).suffix == ".h5" or Path(f).name == "model.json"
        ]
        if made and made[0].startswith(f"{RESULTS}/"):
            params = {k: v for k, v in one.params.items() if not is_unrecorded(v)}
            own = [
                k
                for k, v in params.items()
                if callable(v) or (isinstance(v, str) and "{" in v)
            ]
            files = {
                os.path.relpath(filled(made[0], job), RESULTS): {
                    key: filled(params[key], job) for key in own
                }
                for job in jobs_of(made[0], names)
            }
            shared = {k: v for k, v in params.items() if k not in own}
            yield staleness.Expected(one.name, shared, files)


def is_unrecorded(value):
    """Whether a param is a function that takes ``output`` (see unrecorded)."""
    return callable(value) and "output" in inspect.signature(value).parameters


def fits_of_chunk(rule, names):
    """The fits that a chunk has for some of the galaxies, with the params that all share and those of each."""
    params = {k: v for k, v in rule.params.items() if not is_unrecorded(v)}
    files = {
        os.path.relpath(FIT.format(plateifu=name), RESULTS): values_of_galaxy(name)
        for name in sorted({*names} & {*CHUNK_RULES[rule.name]})
    }
    return staleness.Expected(rule.name, params, files)


def values_of_galaxy(name):
    """The params of a fit that are a galaxy's own."""
    return {key: getattr(GALAXIES[name], key) for key in ("z", "ebv")}


def jobs_of(pattern, names):
    """The wildcards of the jobs that make a file: of some galaxies, of the networks, or none."""
    if "{network}" in pattern:
        return [SimpleNamespace(network=name) for name in CONFIG.autoencoder.networks]
    return map(wildcards_of, names) if "{" in pattern else [SimpleNamespace()]


def wildcards_of(name):
    """The wildcards of a galaxy's jobs."""
    plate, _, ifu = name.partition("-")
    return SimpleNamespace(plateifu=name, plate=plate, ifu=ifu)


def filled(value, wildcards):
    """A param or a path with the wildcards of a job."""
    return value(wildcards) if callable(value) else value.format(**vars(wildcards))


def look_for_stale_results():
    """Answer 'mangrove verify', or warn of results that Snakemake takes for current though they are not.

    Of every rule a hundred outputs at most are looked at, which costs no time worth a plan.
    """
    if staleness.TELL in os.environ:
        staleness.write_expected(os.environ[staleness.TELL], expected(GALAXIES))
    elif workflow.is_main_process and Path(RESULTS).is_dir():
        some = list(GALAXIES)[:: max(1, -(-len(GALAXIES) // 100))]
        stale, checked = staleness.unrecorded_stale(
            Path(RESULTS), expected(some), has_record
        )
        if stale:
            print(staleness.warning(Path(RESULTS), stale, checked), file=sys.stderr)


def has_record(path):
    """Whether Snakemake has a record of how a file was made."""
    return os.path.exists(
        f".snakemake/metadata/{urlsafe_b64encode(path.encode()).decode()}"
    )


def library_hash(templates):
    """Hash of a template library's files; empty for the embedded one, which is in the code hash."""
    try:
        return libraries.content_hash(templates)
    except MangroveError as error:
        sys.exit(f"{type(error).__name__}: {error}")


@cache
def n_template():
    """Number of templates of the library that fits use."""
    n_metallicity, n_age = libraries.load_library(CONFIG.fit.templates).flux.shape[:2]
    return n_metallicity * n_age


@signed
def chunk_memory(wildcards, threads, attempt):
    """Memory of a job that fits a chunk, MB; more for each time that it has failed."""
    on_gpu = fits_on_gpu()
    return attempt * job_memory(n_template(), 1 if on_gpu else threads, on_gpu)


def fits_on_gpu():
    """Whether fits run where a GPU is: a profile says what nodes have, otherwise this computer is asked."""
    given = workflow.resource_settings.overwrite_resources.get("fit_batched", {})
    return bool(given["gpu"].value if "gpu" in given else FIT_GPU)


def every_galaxy(pattern, system=None):
    """Paths of a per-galaxy output for all galaxies, or those of a system's sample, in the order of the sheet."""
    return [
        str(pattern).replace("{plateifu}", name)
        for name, row in GALAXIES.items()
        if system is None or getattr(row, system)
    ]


@signed
def simulated_cube(wildcards):
    """Path of a galaxy's cube in the archive that the workflow makes itself."""
    return f"{ARCHIVE}/{RELEASE.cube_path(wildcards.plateifu)}"


@signed
def archive_url(wildcards, output):
    """Address of a galaxy's cube in an archive; not recorded, as another place of the same cube is no other cube."""
    if SIMULATED:
        return Path(simulated_cube(wildcards)).absolute().as_uri()
    return releases.address(CONFIG.survey.base, RELEASE.cube_path(wildcards.plateifu))


@signed
def file_url(wildcards):
    """Address of a galaxy's cube among the user's own files."""
    return paths.below(CONFIG.survey.base, GALAXIES[wildcards.plateifu].path)


@signed
def divergence(wildcards):
    """A params function: weight of the divergence and its warm-up, of the variational network alone."""
    section = CONFIG.autoencoder
    return [section.kl_weight, section.kl_warmup] if wildcards.network == "vae" else []


def cube_input(path):
    """A cube as an input of extract: its time stamp does not count, unless the workflow simulates it."""
    return path if SIMULATED else ancient(path)


def figure(path, caption, category, subcategory, result, galaxy=None, network=None):
    """An output that the report shows, a figure or a table, in a subcategory of CATEGORIES.

    Where all results of a subcategory are there for each of two networks, the report has a switch for these: they are
    the last label. A label that says whether a result is a figure or a table would become such a switch as well, and
    hide one half of the results.
    """
    number = list(CATEGORIES).index(category) + 1
    part = CATEGORIES[category].index(subcategory) + 1
    kind = " (table)" if path.endswith(".csv") else ""
    labels = {"galaxy": galaxy, "result": f"{result}{kind}", "network": network}
    return report(
        path,
        caption=f"../workflow/report/{caption}.rst",
        category=f"{number}. {category}",
        subcategory=f"{number}.{part} {subcategory}",
        labels={name: value for name, value in labels.items() if value is not None},
    )


def choose_jobs_when_one_ends():
    """Keep Snakemake from looking at all jobs that wait ever more often.

    To keep to its limit of jobs per second (max-jobs-per-timespan), it chooses jobs anew a second after each time that it did,
    and besides whenever one ends: as often each second as jobs have ended, each time with the sizes of all inputs. In a survey
    of 10,000 galaxies that took nearly as long as the merges beside it. A limit that somebody has set stays.
    """
    scheduler = getattr(workflow, "scheduler", None)
    limit = getattr(scheduler, "job_rate_limiter", None)
    if limit is not None and (limit.max_jobs, limit.timespan) == (100, 1):
        scheduler.job_rate_limiter = None


def bring_back_from_the_future():
    """After the clock was set back, let no file of the run be newer than what is made now."""
    if n := file_times.bring_back([RESULTS, STORE]):
        print(
            f"The clock was set back: {n} files of the run had time stamps in the future, and have the present one now.",
            file=sys.stderr,
        )


def forget_other_chunks():
    """Delete logs and timings of fits in chunks that are no more: their galaxies have others."""
    current = {f"chunk-{chunk}" for chunk in CHUNKS}
    for folder in (LOGS, BENCHMARKS):
        for path in Path(folder, "fit").glob("*" if CHUNKS else "chunk-*"):
            if path.stem not in current:
                path.unlink()


def forget_finished_fits():
    """Delete fits that no chunk waits for any more, and the empty folder that chunks leave; while no job runs."""
    forget_others(Path(FIT).parent, GALAXIES)


def planned_cost():
    """Time and disk of the whole run from nothing."""
    cost = planning.plan(GALAXIES, CONFIG.survey, CONFIG.fit)
    hours = planning.map_hours(CONFIG.desom) if WITH_BAXELS else 0
    hours += planning.autoencoder_hours(CONFIG, planning.line_cubes_of(GALAXIES))
    of_training = (
        f" Without a GPU, training the networks takes {hours:.0f} core hours more."
    )
    # On a cluster their number is not known.
    cores = workflow.resource_settings.cores
    on_cores = (
        f" ({cost.core_hours / cores:.0f} hours on {cores} cores)" if cores else ""
    )
    return (
        f"Run '{CONFIG.run}', {len(GALAXIES)} galaxies, from nothing: about {cost.core_hours:.0f} core hours"
        f"{on_cores}, {cost.download_gb:.0f} GB to fetch, "
        f"{cost.disk_gb:.0f} GB on disk.{of_training if hours else ''}"
    )


def failure_digest():
    """Unique failures in the logs of this run, with counts."""
    lines = [
        f"  {n} x {rule}: {message}  [{place}]"
        for (rule, message, place), n in logs.failures(Path(LOGS)).most_common()
    ]
    return "\n".join([f"Failures of run '{CONFIG.run}' (logs: {LOGS}):", *lines])


# Priority of the rules on the longest way through the graph; figures and tables that stand aside of it can wait.
LONGEST_WAY = 1

# What the user chose about the fit, for the rules that fit; the mask of the night sky is a choice for all spectra.
CHOSEN = CONFIG.fit.model_dump() | CONFIG.preprocessing.model_dump()
FIT_SETTINGS = {key: CHOSEN[key] for key in (*FitSettings._fields, "engine")}

# Chunks of galaxies that a job fits, of the engine that fits many at once, and the rules of these jobs.
CHUNKS = (
    chunks(GALAXIES, CONFIG.fit.chunk)
    if WITH_BAXELS and CONFIG.fit.engine == "batched"
    else {}
)
CHUNK_RULES = {f"fit_batched_{chunk}": names for chunk, names in CHUNKS.items()}
# GPUs of a job that uses one where there is one; where there is none, it need not wait for trainings.
CARD = int(has_gpu())
# GPUs that a fit takes; on a cluster, the profile says what nodes have.
FIT_GPU = CARD if CONFIG.fit.engine == "batched" else 0
# Beside a GPU, one thread computes, one reads and one writes; otherwise the chunks share out the cores.
CORES = workflow.resource_settings.cores or 1
CHUNK_THREADS = min(3, CORES) if FIT_GPU else max(1, CORES // max(1, len(CHUNKS)))

# The galaxies that the report shows one by one: those with the first `report.examples` names of the sheet.
EXAMPLES = list(GALAXIES)[: CONFIG.report.examples] if WITH_BAXELS else []
