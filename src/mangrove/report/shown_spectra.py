"""Which of a galaxy's spectra are shown, and where the names of their lines stand."""

import numpy as np

from mangrove.artefacts import Artefact

#: Smallest S/N of a line that is named.
NAMED_SNR = 3.0


def central_baxel(extract: Artefact) -> int:
    """Index of the baxel nearest to the centre; where no radius is known, of that with the highest S/N."""
    radius = extract["radius"]
    return int(np.nanargmin(radius)) if np.isfinite(radius).any() else int(np.argmax(extract["snr"]))


def example_baxels(snr) -> list[int]:
    """Indices of the baxels of highest, median and lowest S/N, each once."""
    order = np.argsort(-np.asarray(snr), kind="stable")
    return list(dict.fromkeys(int(order[k]) for k in (0, order.size // 2, order.size - 1)))


def spread(positions, gap: float) -> np.ndarray:
    """Positions in rising order moved as little as needed to lie at least ``gap`` apart.

    Groups of crowded positions share one block of even spacing about their mean; blocks that meet are merged.
    """
    blocks: list[list[float]] = []
    for position in positions:
        blocks.append([position])
        while len(blocks) > 1 and _start(blocks[-1], gap) - _end(blocks[-2], gap) < gap:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return np.array([_start(block, gap) + k * gap for block in blocks for k in range(len(block))])


def _start(block: list[float], gap: float) -> float:
    return float(np.mean(block)) - 0.5 * gap * (len(block) - 1)


def _end(block: list[float], gap: float) -> float:
    return float(np.mean(block)) + 0.5 * gap * (len(block) - 1)
