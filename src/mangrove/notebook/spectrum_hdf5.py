"""Spectra in HDF5: datasets side by side, or a table; nothing outside the file is followed, and nothing large is read."""

from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO

import h5py
import numpy as np

from mangrove.errors import SpectrumError
from mangrove.notebook.spectrum_columns import (
    KNOWN,
    MAX_PIXELS,
    REDSHIFT,
    REDSHIFT_WARNING,
    Columns,
    LazyColumn,
    SpectrumFile,
    no_spectrum,
    spectrum_of,
)

_AIR, _UNITS = "air", ("units", "unit")
#: Groups within groups, and datasets and groups in all, that are looked at: a file may hold itself.
_DEEPEST, _MOST = 20, 2000
#: Largest chunk, which is unpacked as a whole, bytes.
_MAX_CHUNK = 1 << 28


def read_hdf5(file: BinaryIO) -> SpectrumFile:
    """The first spectrum among the groups and tables of an HDF5 file.

    Parameters
    ----------
    file : binary file
        Seekable.

    Raises
    ------
    SpectrumError
        If it holds no spectrum.
    """
    with h5py.File(file, "r") as f:
        tables = list(_tables(f, [0], 0))
        holder, spectrum = next(((holder, one) for holder, one in tables if one.is_spectrum), (None, None))
        if spectrum is None:
            raise no_spectrum(one for _, one in tables)
        attributes = [_attributes(one) for one in (holder, f)]
        air = next((bool(one[_AIR]) for one in attributes if _AIR in one), None)
        return spectrum_of(spectrum, [*attributes, *(one.single_numbers for _, one in tables)], air)


def _tables(group: h5py.Group, seen: list[int], depth: int) -> Iterator[tuple[h5py.Group | h5py.Dataset, Columns]]:
    """Columns of a group's datasets together, of each of them that is a table, and of the groups within."""
    plain: dict[str, LazyColumn] = {}
    names: list[str] = []
    for name in group:
        seen[0] += 1
        if seen[0] > _MOST or depth > _DEEPEST:
            raise SpectrumError(
                f"has more than {_MOST} datasets, or groups more than {_DEEPEST} deep; give the spectrum alone."
            )
        # Other links lead elsewhere, maybe out of the file.
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _tables(item, seen, depth + 1)
        elif isinstance(item, h5py.Dataset) and item.shape is not None:
            if item.dtype.names:
                yield item, _members(item)
            elif item.dtype.kind in "fiub":
                names.append(name)
                if name.lower() in KNOWN:
                    plain[name.lower()] = LazyColumn(item.shape, _unit(item), partial(_read, item, ()))
    yield group, Columns(plain, tuple(names))


def _members(table: h5py.Dataset) -> Columns:
    fields = {key.lower(): key for key in table.dtype.names if key.lower() in KNOWN}
    known = {
        name: LazyColumn(table.shape + table.dtype[key].shape, "", partial(_read, table, key))
        for name, key in fields.items()
    }
    return Columns(known, tuple(table.dtype.names))


def _read(dataset: h5py.Dataset, key) -> np.ndarray:
    if dataset.external or dataset.is_virtual:
        raise SpectrumError(f"{dataset.name} is kept in other files; give one file that holds the values.")
    chunk = np.prod([float(n) for n in dataset.chunks or ()]) * dataset.dtype.itemsize
    kind = dataset.dtype[key].base.kind if key else dataset.dtype.kind
    if chunk > _MAX_CHUNK or dataset.size > MAX_PIXELS or kind not in "fiub":
        raise SpectrumError(f"{dataset.name} is too large, or holds no numbers.")
    return dataset[key]


def _attributes(item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """The attributes that are looked for, where they are single numbers."""
    wanted = {*REDSHIFT, *REDSHIFT_WARNING, _AIR}
    found = {name.lower(): _number(item, name) for name in item.attrs if name.lower() in wanted}
    return {name: value for name, value in found.items() if value is not None}


def _number(item, name: str) -> np.ndarray | None:
    about = item.attrs.get_id(name)
    single = about.shape is not None and np.prod(about.shape) == 1 and about.dtype.kind in "fiub"
    return np.asarray(item.attrs[name]).ravel()[0] if single else None


def _unit(dataset: h5py.Dataset) -> str:
    for name in _UNITS:
        if name in dataset.attrs and dataset.attrs.get_id(name).shape in ((), (1,)):
            value = np.asarray(dataset.attrs[name]).ravel()[0]
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return ""
