"""The learning curve of the emulator as an artefact, and back."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mangrove import artefacts


class LearningPoint(NamedTuple):
    """Quality of an emulator trained on a part of the training rows.

    Attributes
    ----------
    fraction : float
    n_train : int
        Rows.
    rho : float
        Mean over the lines of Spearman's rank correlation on the test rows.
    loss : float
        Lowest validation loss.
    """

    fraction: float
    n_train: int
    rho: float
    loss: float


class LearningCurve(NamedTuple):
    """Points by fraction; without any, the reason."""

    points: list[LearningPoint]
    reason: str


def write_curve(path, curve: LearningCurve, params: Mapping[str, Any], inputs: list) -> None:
    """Write the artefact 'emulator_learning_curve'."""
    columns = zip(*curve.points, strict=True) if curve.points else [()] * len(LearningPoint._fields)
    data = {name: np.array(column) for name, column in zip(LearningPoint._fields, columns, strict=True)}
    status = {"status": "empty" if curve.reason else "ok", "reason": curve.reason}
    artefacts.write(path, "emulator_learning_curve", data, artefacts.provenance(path, params, inputs), status)


def read_curve(path) -> LearningCurve:
    """Read the artefact 'emulator_learning_curve'.

    Raises
    ------
    ArtefactError
        If it is missing, damaged or of another kind.
    """
    found = artefacts.read(path, "emulator_learning_curve")
    rows = zip(*(found[name].tolist() for name in LearningPoint._fields), strict=True)
    return LearningCurve([LearningPoint(*row) for row in rows], str(found.attrs["reason"]))
