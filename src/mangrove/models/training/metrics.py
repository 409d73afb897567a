"""The losses of a training by epoch, as its file ``metrics.jsonl`` holds them."""

import json
from pathlib import Path


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The epochs of a file of JSON lines, in their order, up to a line that a killed run left unfinished.

    Epochs count from 0; -1 is the start, of which there is the validation loss alone, and which few trainings validate.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    epochs = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            epochs.append(json.loads(line))
        except json.JSONDecodeError:
            # The run that resumes writes the epoch again.
            break
    return epochs
