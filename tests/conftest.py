"""What all tests share: what they may not miss, named inputs and params as the workflow gives them, its scripts."""

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
SCRIPTS = TESTS.parent / "workflow" / "scripts"

# Types and ranks of JAX arrays never change silently, in any test and in what tests start. JAX reads this when it is
# imported, which most tests do without.
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
# Quick compilation: most programs of tests run once, and take longer to compile than to run. Without XLA's emitters of
# fusions, half of the time.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false"


class Params(dict):
    """Values by name, as items and as attributes, like the workflow's inputs, outputs and params."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class FailuresAtOnce:
    """A plugin that names a failure when it comes: a run may be ended before its summary."""

    def __init__(self, config):
        self.config = config

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.config.get_terminal_writer().line(f"\nFAILED {report.nodeid[:300]} ({report.when})")


def pytest_configure(config):
    """What tests start keeps its compiled programs in a folder of this session, for whatever is started after it.

    Tests themselves keep none: writing one may end a process that has compiled hundreds (jaxlib 0.10).
    """
    import jax

    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        programs = tempfile.TemporaryDirectory(prefix="mangrove-programs-", ignore_cleanup_errors=True)
        config.add_cleanup(programs.cleanup)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = programs.name
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
    jax.config.update("jax_enable_compilation_cache", False)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(FailuresAtOnce(config))


def pytest_terminal_summary(terminalreporter):
    """How many cases tests with drawn input had in all, where that was asked for."""
    if "MANGROVE_FUZZ_CASES" in os.environ and "fuzzing" in sys.modules:
        drawn = sys.modules["fuzzing"].N_DRAWN
        terminalreporter.line(f"{sum(drawn.values())} cases drawn in {len(drawn)} tests")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """One worker of pytest-xdist runs a module, so that its fixtures are made and its programs compiled once.

    Groups of several modules come first: they take longest, and what remains in the end should be short. This is called after
    its namesakes in the folders, which make such groups, and before that of pytest-xdist, which reads the marks.
    """
    grouped = [item for item in items if item.get_closest_marker("xdist_group")]
    others = [item for item in items if not item.get_closest_marker("xdist_group")]
    for item in others:
        item.add_marker(pytest.mark.xdist_group(item.path.relative_to(TESTS).as_posix()))
    items[:] = grouped + others


@pytest.fixture(scope="module", autouse=True)
def room_for_programs():
    """Drop compiled programs once they take a quarter of the memory maps that Linux grants a process.

    XLA needs some for each program; a process that runs out of them ends by a segmentation fault in the midst of compiling.
    """
    yield
    maps, limit = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
    if "jax" in sys.modules and maps.is_file() and limit.is_file():
        with maps.open() as lines:
            taken = sum(1 for _ in lines)
        if 4 * taken > int(limit.read_text()):
            sys.modules["jax"].clear_caches()


@pytest.fixture(name="Params", scope="session")
def params_class():
    """The class :class:`Params`."""
    return Params


@pytest.fixture(scope="session")
def script():
    """A function that gives a script of the workflow, by its name, as a module."""

    def load(name: str):
        # Warnings of modules with such names are errors (pyproject.toml).
        spec = importlib.util.spec_from_file_location(f"workflow_script_{name}", SCRIPTS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def required() -> frozenset[str]:
    """Needs whose absence is a failure: the names in MANGROVE_REQUIRE (real, cluster, demo)."""
    return frozenset(os.environ.get("MANGROVE_REQUIRE", "").split(","))


@pytest.fixture(scope="session")
def absent(required):
    """A function that skips a test whose need is missing, or fails it where that need is required."""

    def report(need: str, reason: str):
        if need in required:
            pytest.fail(reason)
        pytest.skip(reason)

    return report


@pytest.fixture(scope="session")
def demo_run(absent) -> Path:
    """Folder of a finished demo, read only: results/demo, or that which MANGROVE_DEMO names."""
    folder = Path(os.environ.get("MANGROVE_DEMO", TESTS.parent / "results" / "demo"))
    if not (folder / "desom" / "map.h5").is_file():
        absent("demo", f"no finished demo in {folder}: run 'make demo', or set MANGROVE_DEMO to the folder of one")
    return folder
