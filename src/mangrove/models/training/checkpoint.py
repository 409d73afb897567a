"""Checkpoints of a training run: everything that an exact resume needs, written whole or not at all."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jaxlib
import orbax.checkpoint as ocp

from mangrove.errors import TrainingError

_KEPT = 2


class Restored(NamedTuple):
    """The newest checkpoint: its arrays, the position of the run, and the environment that wrote it."""

    arrays: Any
    position: dict[str, Any]
    environment: dict[str, Any]


class Checkpoints:
    """The checkpoints under a folder; the last two are kept.

    Parameters
    ----------
    folder : Path
    identity : mapping
        What the run trains, plain values; a checkpoint of another run is refused.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        # orbax tells a dozen steps of every checkpoint.
        logging.getLogger("absl").setLevel(logging.WARNING)
        self._folder, self._identity = folder.resolve(), json.loads(json.dumps(identity))
        options = ocp.CheckpointManagerOptions(
            max_to_keep=_KEPT, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_) -> None:
        self._manager.close()

    @property
    def latest(self) -> int | None:
        """Step of the newest checkpoint; None without any."""
        return self._manager.latest_step()

    def save(self, step: int, arrays: Any, position: Mapping[str, Any]) -> None:
        """Write a checkpoint of a tree of arrays at a step, with plain values that say where the run stands."""
        note = {"position": dict(position), "identity": self._identity, "environment": environment()}
        self._manager.save(
            step, args=ocp.args.Composite(arrays=ocp.args.StandardSave(arrays), note=ocp.args.JsonSave(note))
        )

    def restore(self, like: Any) -> Restored | None:
        """The newest checkpoint as a tree like ``like``, placed as it is; None without any.

        Raises
        ------
        TrainingError
            If the checkpoint is of another run (data, settings or network).
        """
        step = self.latest
        if step is None:
            return None
        note = self._manager.restore(step, args=ocp.args.Composite(note=ocp.args.JsonRestore()))["note"]
        self._check(note["identity"])
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        found = self._manager.restore(step, args=ocp.args.Composite(arrays=ocp.args.StandardRestore(abstract)))
        return Restored(found["arrays"], note["position"], note["environment"])

    def _check(self, found: Mapping[str, Any]) -> None:
        names = sorted(set(found) | set(self._identity))
        changed = [name for name in names if found.get(name) != self._identity.get(name)]
        if changed:
            raise TrainingError(
                f"the checkpoints under {self._folder} belong to another run (they differ in {', '.join(changed)}). "
                "Delete the folder to start the training again."
            )


def environment() -> dict[str, Any]:
    """What must be equal for a resumed run to give the same bits."""
    return {
        "jaxlib": jaxlib.__version__,
        "devices": sorted(device.device_kind for device in jax.devices()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
