"""The autoencoders of a run: training as one resumable step, from the run's line cubes to the model folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mangrove import artefacts
from mangrove.models.convlstm.settings import CubeTraining, cube_design
from mangrove.models.convlstm.training import scarcity, train_cubes
from mangrove.models.convlstm.training_set import CubeTrainingSet
from mangrove.models.training.resumable import train_or_give_reason


def train_run(line_cube_set, augmentation, params: Mapping[str, Any], folder: Path, metrics: Path) -> None:
    """Train an autoencoder of a run; what a killed training left in ``checkpoints`` beside ``folder`` is taken up.

    Parameters
    ----------
    line_cube_set, augmentation : path-like
        The artefacts of these kinds.
    params : mapping
        Those of the rule, plain values; see :func:`mangrove.models.convlstm.settings.cube_design` and
        :meth:`mangrove.models.convlstm.settings.CubeTraining.from_params`.
    folder : Path
        Model folder to write; without a model, and with the reason, where there is too little to train on.
    metrics : Path
        File of the losses by epoch (JSON lines) to write.

    Raises
    ------
    ArtefactError
        If an artefact is missing, damaged or of another kind.
    ModelError
        If the line cubes lack a line.
    TrainingError
        If cubes are not finite, the network does not fit their size, or the training fails.
    """
    data = CubeTrainingSet.read(line_cube_set, augmentation, params["lines"])
    made_from = {
        "line_cubes": artefacts.input_hash(line_cube_set),
        "copies": artefacts.input_hash(augmentation),
        "params": dict(params),
    }

    def train(work: Path) -> None:
        design = cube_design(params, data.cubes.shape)
        train_cubes(design, CubeTraining.from_params(params), data, work, {"made_from": made_from})

    train_or_give_reason(train, scarcity(data), made_from, folder, metrics)
