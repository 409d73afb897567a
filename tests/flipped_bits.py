"""A bit flipped in an artefact, as a disk may do it."""

from pathlib import Path

import h5py


def flip_a_bit(path: Path) -> None:
    """Flip the lowest bit of a byte in the midst of the numbers that an artefact stores, its time stamps as they were."""
    with h5py.File(path) as f:
        place, size = max((stored_at(f[name]) for name in f if is_stored(f[name])), key=lambda found: found[1])
    content = bytearray(path.read_bytes())
    content[place + size // 2] ^= 1
    path.write_bytes(content)


def is_stored(dataset: h5py.Dataset) -> bool:
    """Whether a dataset has numbers in the file; the bare axes of netCDF have none."""
    return dataset.dtype.kind in "iuf" and dataset.id.get_storage_size() > 0


def stored_at(dataset: h5py.Dataset) -> tuple[int, int]:
    """Where the first piece of a dataset lies, and its size, bytes."""
    if dataset.chunks is None:
        return dataset.id.get_offset(), dataset.id.get_storage_size()
    chunk = dataset.id.get_chunk_info(0)
    return chunk.byte_offset, chunk.size
