"""What tests with drawn input share: how many cases, bounds of time and memory, damaged bytes, other FITS cards.

The cases are the same every time. MANGROVE_FUZZ_CASES sets their number for each test, as 'make soak' does.
"""

import os
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, settings
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


def fuzzed(cases: int):
    """Settings of a test with so many cases unless MANGROVE_FUZZ_CASES says otherwise."""
    return settings(
        max_examples=int(os.environ.get("MANGROVE_FUZZ_CASES", cases)),
        derandomize=True,
        database=None,
        deadline=None,
        # Without looking for a smaller case of a failure, which takes minutes: files cannot be simplified anyway.
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


def outcome(error: type[MangroveError], read: Callable, *arguments, **options) -> Any:
    """What a reader gives, or None where it refuses with its own error, in bounds of time, memory and words."""
    begin = time.monotonic()
    tracemalloc.start()
    try:
        found, said = read(*arguments, **options), ""
    except error as refused:
        found, said = None, str(refused)
        assert said, "an error without words"
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < MEMORY
    assert time.monotonic() - begin < PATIENCE
    assert len(said) < 4000
    return found


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
