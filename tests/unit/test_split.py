"""The split by identifier: fractions, repeats together, no leak."""

import numpy as np

from mangrove.codes import Split
from mangrove.survey.split import split_of


def test_the_split_depends_on_the_galaxy_alone_and_has_the_right_sizes():
    splits = np.array([split_of(f"1-{i}", 1, 0.1, 0.2) for i in range(5000)])
    fractions = np.bincount(splits, minlength=3) / 5000
    np.testing.assert_allclose(fractions, [0.7, 0.1, 0.2], atol=0.02)
    assert split_of("1-17", 1, 0.1, 0.2) == splits[17]
    # A larger test split keeps every galaxy that was in it.
    larger = np.array([split_of(f"1-{i}", 1, 0.1, 0.3) for i in range(5000)])
    assert np.all(larger[splits == Split.TEST] == Split.TEST)
