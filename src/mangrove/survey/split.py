"""The split of galaxies into training, validation and test: by name, so that new galaxies never move others."""

import hashlib

from mangrove.codes import Split


def split_of(mangaid: str, seed: int, validation_fraction: float, test_fraction: float) -> Split:
    """What all spectra and cubes of a galaxy are for."""
    x = hash_fraction(f"{seed}:{mangaid}")
    if x < test_fraction:
        return Split.TEST
    return Split.VALIDATION if x < test_fraction + validation_fraction else Split.TRAIN


def hash_fraction(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:13], 16) / 16**13
