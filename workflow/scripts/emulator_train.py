"""The emulator of a run, trained on its table of continua and lines."""

import hashlib
import json
import logging
import shutil
from pathlib import Path

from mangrove.logs import rule_log
from mangrove.models.emulator.line_table import StoredTable, read_stored
from mangrove.models.emulator.network import Architecture
from mangrove.models.emulator.training import EmulatorSettings, shortfall, train_emulator, trainable
from mangrove.models.training import model_folder

logger = logging.getLogger("mangrove.emulator_train")


def main(inputs, outputs, params, log=None, threads=1):
    """Train on ``inputs.table``; write the model folder (``outputs.description``, ``outputs.arrays``) and
    ``outputs.metrics``. What a killed training left in the folder ``checkpoints`` is taken up again."""
    with rule_log(log):
        folder = Path(outputs.description).parent
        stored = read_stored(inputs.table)
        reason = shortfall(stored.table, stored.split)
        if reason:
            logger.warning("nothing trained: %s", reason)
            model_folder.save_empty(folder, reason)
            Path(outputs.metrics).write_text("", encoding="utf-8")
            return
        # The place of the checkpoints says what they belong to: another code or setting starts anew.
        made_from = {"table": stored.content_hash, "params": dict(params.items())}
        work = folder.parent / "checkpoints" / key(made_from)
        train_emulator(
            trainable(stored.table, stored.split),
            stored.split,
            settings(params, stored),
            work,
            {"made_from": made_from},
        )
        publish(work, folder, outputs.metrics)


def publish(work: Path, folder: Path, metrics) -> None:
    """Put model and metrics in their places, and remove the checkpoints.

    A kill at any point loses nothing: until the checkpoints go as a whole, what lacks is made from them again.
    """
    shutil.copyfile(work / "metrics.jsonl", metrics)
    shutil.rmtree(folder, ignore_errors=True)
    (work / "model").rename(folder)
    # Half-removed checkpoints could not be read: they lose their name first.
    done = work.parent.with_name("checkpoints.done")
    shutil.rmtree(done, ignore_errors=True)
    work.parent.rename(done)
    shutil.rmtree(done)


def key(made_from: dict) -> str:
    """Name of the folder of a training's checkpoints."""
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]


def settings(params, stored: StoredTable) -> EmulatorSettings:
    """Settings of the training from the rule's params."""
    if params["architecture"] == "per_line":
        architecture = Architecture.published()
    else:
        architecture = Architecture(hidden=tuple(params["hidden"]), n_component=params["n_component"])
    use_luminosity = params["luminosity"] and stored.table.log_luminosity is not None
    return EmulatorSettings.from_params(params, architecture._replace(n_member=params["members"]), use_luminosity)


if "snakemake" in globals():
    main(snakemake.input, snakemake.output, snakemake.params, snakemake.log[0], snakemake.threads)
