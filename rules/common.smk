# Configuration, sample sheet, code hashes: everything the other rules take their values from.
import sys
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from mangrove import artefacts, codehash, logs
from mangrove import config as mangrove_config
from mangrove.errors import MangroveError
from mangrove.survey import releases
from mangrove.survey.sample import GALAXY_NAME, read_sheet

from snakemake.exceptions import WorkflowError


def load_run():
    """The validated configuration and the galaxies of its sample sheet."""
    try:
        validated = mangrove_config.validate(config, [*map(str, workflow.configfiles)])
        return validated, read_sheet(validated)
    except MangroveError as error:
        raise WorkflowError(str(error)) from None


CONFIG, GALAXIES = load_run()
RESULTS = f"results/{CONFIG.run}"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
RELEASE = releases.release(CONFIG.survey.release)

if workflow.is_main_process:
    artefacts.sweep(RESULTS)


@cache
def code(name):
    """Hash of what the script of a rule runs (see mangrove.codehash)."""
    return codehash.code_hash(f"{workflow.basedir}/workflow/scripts/{name}.py")


def galaxy(key):
    """A params function: one value of the galaxy's row in the sample sheet."""
    return lambda wildcards: getattr(GALAXIES[wildcards.plateifu], key)


def every_galaxy(pattern):
    """Paths of a per-galaxy output for all galaxies, in the order of the sheet."""
    return [str(pattern).replace("{plateifu}", name) for name in GALAXIES]


def failure_digest():
    """Unique failures in the logs of this run, with counts."""
    lines = [
        f"  {n} x {rule}: {message}  [{place}]"
        for (rule, message, place), n in logs.failures(Path(LOGS)).most_common()
    ]
    return "\n".join([f"Failures of run '{CONFIG.run}' (logs: {LOGS}):", *lines])


# The galaxies that the report shows one by one: those with the first so many names of the sheet.
EXAMPLES = list(GALAXIES)[: CONFIG.report.examples]
