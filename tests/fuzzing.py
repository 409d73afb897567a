"""What tests with drawn input share: how many cases, bounds of time and memory, damaged bytes, other FITS cards.

The cases are the same every time. MANGROVE_FUZZ_CASES, which 'make soak' sets, is the number of cases of all tests that
are collected together; :func:`shares` divides it.
"""

import functools
import math
import os
import signal
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st

from mangrove.errors import MangroveError

#: Seconds that a case may take on a busy machine, and bytes.
PATIENCE, MEMORY = 15.0, 1 << 28
#: Values that a card of a FITS header is given in place of its own.
VALUES = [
    *("0", "-1", "1", "2", "999", "1000000", "99999999999", "9223372036854775807", "1E400", "NaN", "T", "F"),
    *("'1D      '", "'PD(9)   '", "'QD(99)  '", "'999999D '", "'5A      '", "'300D    '", "'1M      '", "'nm      '"),
    *("'(9,9,9,9)'", "'flux    '", "'wave    '", "'erg/s   '", "'TABLE   '", "'BINTABLE'", "'10**(99999999) m'", ""),
]
#: Share of all cases that each test has at least.
LEAST_SHARE = 1e-3
#: Cases that are drawn from one seed: what was drawn is kept, so that nothing is drawn twice.
_ROUND = 2000
#: Where Linux is told to count the peak of a process's memory anew.
_PEAK = Path("/proc/self/clear_refs")
#: How many cases were drawn, by the name of their test.
N_DRAWN: dict[str, int] = {}
#: What a case costs, ms of a processor, by the name of its test.
_COSTS: dict[str, float] = {}


class Endless(BaseException):
    """A case takes too long. No Exception, nor an OSError as TimeoutError is: FITS readers go on after those."""


def fuzzed(cases: int, cost: float):
    """Decorate a test with drawn input: so many cases, or its share of MANGROVE_FUZZ_CASES.

    Parameters
    ----------
    cases : int
        For the tests of every day.
    cost : float
        What a case costs, ms of a processor, about.
    """

    def decorated(test: Callable) -> Callable:
        name = f"{test.__module__}.{test.__name__}"
        _COSTS[name] = cost
        inner, drawn = test.hypothesis.inner_test, []

        @functools.wraps(inner)
        def counted(*arguments, **options):
            drawn.append(1)
            inner(*arguments, **options)

        test.hypothesis.inner_test = counted

        @functools.wraps(test)
        def in_rounds(*arguments, **options):
            n, begin = wanted(name, cases), time.process_time()
            n_round = math.ceil(n / _ROUND)
            drawing = _settings(math.ceil(n / n_round))(test)
            drawn.clear()
            for i in range(n_round):
                before = len(drawn)
                try:
                    (seed(i)(drawing) if i else drawing)(*arguments, **options)
                except (Exception, Endless):
                    # At once: the other tests take hours.
                    traceback.print_exc()
                    raise
                if len(drawn) - before < n // n_round:
                    # There are no more.
                    break
            used = time.process_time() - begin
            N_DRAWN[name] = len(drawn)
            print(f"{len(drawn)} cases, {1e3 * used / len(drawn):.2f} ms of a processor each", flush=True)

        return in_rounds

    return decorated


def wanted(name: str, cases: int) -> int:
    """Number of cases of a test."""
    total = int(os.environ.get("MANGROVE_FUZZ_CASES", 0))
    return shares(_COSTS, total)[name] if total else cases


def shares(costs: Mapping[str, float], total: int) -> dict[str, int]:
    """A number of cases shared among tests so that each takes the same time, and has :data:`LEAST_SHARE` of them at least.

    Parameters
    ----------
    costs : mapping of str to float
        What a case costs, by test.
    total : int
        Cases of all tests together.
    """
    least = math.ceil(LEAST_SHARE * total)
    by_cost = sorted(costs, key=costs.__getitem__, reverse=True)
    found, rest, speed = {}, total, sum(1.0 / cost for cost in costs.values())
    for name in by_cost:
        found[name] = max(least, round(rest / speed / costs[name]))
        rest, speed = rest - found[name], speed - 1.0 / costs[name]
    return found


def _settings(cases: int) -> settings:
    return settings(
        max_examples=cases,
        derandomize=True,
        database=None,
        deadline=None,
        # Without looking for a smaller case of a failure, which takes minutes: files cannot be simplified anyway.
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


def put_file(path: Path, content: bytes) -> None:
    """Write a file in place of that of another case, which stays as it is for whatever still maps it into memory."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def outcome(error: type[MangroveError], read: Callable, *arguments, **options) -> Any:
    """What a reader gives, or None where it refuses with its own error, in bounds of time, memory and words."""
    found, said = None, "taken"
    with bounded():
        try:
            found = read(*arguments, **options)
        except error as refused:
            said = str(refused)
    assert 0 < len(said) < 4000
    return found


@contextmanager
def bounded(seconds: float = PATIENCE) -> Iterator[None]:
    """Fail where the block takes too long, or too much memory; one that hangs is broken off."""
    begin, before = time.monotonic(), _begin_to_watch_memory()
    with _broken_off_after(seconds):
        yield
    assert _most_memory() - before < MEMORY
    assert time.monotonic() - begin < seconds


def ended_after(seconds: float, function: Callable, arguments: Sequence) -> Any:
    """What a function gives; its process is ended where it takes so much of a processor, be it within a library."""
    # The default action of this signal needs nothing of Python.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return function(*arguments)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


@contextmanager
def _broken_off_after(seconds: float) -> Iterator[None]:
    """Raise Endless in the block once it has taken so long, and again until it ends: libraries pass over errors."""

    def raise_it(*_):
        raise Endless(f"still at it after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, raise_it)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _begin_to_watch_memory() -> int:
    """Memory of this process, bytes, from where its peak counts anew; where the system does not tell, Python's share."""
    if not _PEAK.is_file():
        tracemalloc.start()
        return 0
    _PEAK.write_text("5")
    return _most_memory()


def _most_memory() -> int:
    """The peak of the memory, bytes."""
    if tracemalloc.is_tracing():
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


@st.composite
def damaged(draw, contents: Sequence[bytes], head: int = 6000):
    """The bytes of a good file, changed in a few places: mostly in the first ``head``, where its structure is."""
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 6))):
        reach = len(content) if draw(st.integers(0, 3)) == 0 else min(len(content), head)
        at = draw(st.integers(0, max(reach - 1, 0)))
        match draw(st.sampled_from(["flip", "set", "cut", "drop", "insert", "repeat"])):
            case "flip" if content:
                content[at] ^= 1 << draw(st.integers(0, 7))
            case "set" if content:
                content[at] = draw(st.sampled_from([0, 255, 127, 128, 32, 48, 57, 10]))
            case "cut":
                del content[at:]
            case "drop":
                del content[at : at + draw(st.integers(1, 600))]
            case "insert":
                content[at:at] = draw(st.binary(min_size=1, max_size=80))
            case "repeat":
                content[at:at] = content[at : at + draw(st.integers(1, 3000))]
    return bytes(content)


def with_card(content: bytes, key: str, value: str, nth: int = -1) -> bytes:
    """A FITS file with another value in the ``nth`` card of a name; where there is none, one more before the last END."""
    card = f"{key:8s}= {value:>20s}".ljust(80).encode()[:80]
    starts = [i for i in range(0, len(content) - 80, 80) if content[i : i + 8] == key.ljust(8).encode()]
    if starts:
        at = starts[nth % len(starts)]
        return content[:at] + card + content[at + 80 :]
    end = content.rindex(b"END" + b" " * 77)
    return content[:end] + card + b"END".ljust(80) + content[end + 160 :]
