"""Which galaxies one job fits together."""

import hashlib
import math
from collections.abc import Iterable


def chunks(names: Iterable[str], size: int) -> dict[str, list[str]]:
    """Galaxies in chunks, by the leading bits of a hash of their names.

    There are as many chunks as the power of two that comes nearest to ``size`` galaxies in each. So where a galaxy
    belongs depends on its name and on that number alone: more galaxies fill the chunks, and in the end split each of
    them in two.

    Parameters
    ----------
    names : iterable of str
    size : int
        Wanted number of galaxies in each; the average is within a factor of sqrt(2), or all of them if there are fewer.

    Returns
    -------
    dict of list of str
        By the bits that its members share ('01'), 'all' where there is one chunk; each in the order of ``names``, none
        empty.
    """
    names = list(names)
    n_bit = max(0, round(math.log2(max(1, len(names)) / size)))
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_bits(name)[:n_bit] or "all", []).append(name)
    return dict(sorted(found.items()))


def _bits(name: str) -> str:
    return "".join(f"{byte:08b}" for byte in hashlib.sha256(name.encode()).digest())
