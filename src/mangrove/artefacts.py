"""The HDF5 contract: how every artefact is written, read, hashed and verified.

What the artefacts hold (datasets, attributes, units, meanings) is declared in :mod:`mangrove.data_model`. An artefact
is written under a temporary name beside its target and renamed when complete, so a file under a final name is
whole. Its attributes are declared as well, and content: data, params, code hash, hashes of the inputs, never a clock,
a host or a path, so equal inputs give equal bytes.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mangrove.data_model import KINDS, SCHEMA_VERSION, Field, Kind
from mangrove.data_model_attributes import OUTCOME, PROVENANCE
from mangrove.errors import ArtefactError
from mangrove.whole_files import whole_file

_BARE_DIMENSION = b"This is a netCDF dimension but not a netCDF variable. "
_HASH_BLOCK_BYTES = 1 << 26


@dataclass(frozen=True)
class Provenance:
    """What made an artefact: content only, so that equal inputs give equal bytes.

    Attributes
    ----------
    params : dict
        The rule's parameters, plain values.
    inputs : dict of str
        Content hash of each input, by its path relative to the artefact's folder.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Artefact:
    """An artefact in memory: datasets by name, attributes (galaxy, status, ...) as declared, and content hash."""

    kind: str
    data: Mapping[str, np.ndarray]
    attrs: Mapping[str, Any]
    content_hash: str

    def __getitem__(self, name: str) -> np.ndarray:
        return self.data[name]

    @property
    def ok(self) -> bool:
        """Whether the step gave a result; if not, ``attrs['reason']`` says why."""
        return self.attrs["status"] == "ok"


def provenance(output: str | os.PathLike, params: Mapping[str, Any], inputs: list) -> Provenance:
    """Provenance of ``output`` from the rule's params and its input files (artefacts or others).

    Inputs go by their path relative to the output. One with an absolute path, where the output's is not, lies in a
    store outside the workflow's folder and goes by its name alone: where the store lies is no part of a result.
    """
    hashes = {_place(path, Path(output)): input_hash(path) for path in sorted(map(str, inputs))}
    return Provenance(params=dict(params), inputs=hashes)


def write(path, kind: str, data: Mapping[str, np.ndarray], prov: Provenance, attrs: Mapping[str, Any]) -> None:
    """Write an artefact atomically.

    Parameters
    ----------
    path : path-like
        Final name; parent folders are made.
    kind : str
        A key of :data:`mangrove.data_model.KINDS`.
    data : mapping of str to array
        Exactly the datasets that the kind declares (optional ones may be left out).
    prov : Provenance
    attrs : mapping
        ``status``, ``reason``, and exactly the attributes that the kind declares.

    Raises
    ------
    ArtefactError
        If datasets are missing, unknown, or disagree in a dimension, or attributes are missing, unknown, or of another
        type than declared.
    """
    declared = _declared(kind)
    required = {name for name, spec in declared.fields.items() if not spec.optional}
    _check_names(kind, "datasets", declared.fields, required, data)
    dims = _dim_sizes(kind, declared, data)
    with writer(path, kind, dims, prov, attrs, only=set(data)) as datasets:
        for name, values in data.items():
            if np.size(values):
                datasets[name][...] = _as_stored(values, declared.fields[name])


@contextmanager
def writer(path, kind: str, dims: Mapping[str, int], prov: Provenance, attrs, only=None) -> Iterator[h5py.File]:
    """Open an artefact for block-wise writing; it gets its final name when the block ends without error.

    Parameters
    ----------
    dims : mapping of str to int
        Length of every dimension of the kind.
    prov, attrs
        As for :func:`write`.
    only : set of str, optional
        Datasets to create; all by default.

    Raises
    ------
    ArtefactError
        If attributes are missing, unknown, or of another type than declared.
    """
    declared = _declared(kind)
    attrs = _checked_attributes(kind, declared, attrs)
    with whole_file(path) as part, h5py.File(part, "w", libver=("earliest", "v110")) as f:
        _create(f, declared, dims, only)
        # Where the last use of a dataset ends, HDF5 writes what it held back, and an error of the disk goes unseen: all
        # stay in use until they are written in a way that raises.
        datasets = list(f.values())
        yield f
        _write_attrs(f, kind, prov, attrs)
        for dataset in datasets:
            dataset.flush()
        f.flush()


def read(path, kind: str, only: list[str] | None = None) -> Artefact:
    """Read an artefact.

    Parameters
    ----------
    only : list of str, optional
        Datasets to read; all by default.

    Raises
    ------
    ArtefactError
        If the file is missing, damaged, of another kind or schema, or lacks a dataset or an attribute.
    """
    with opened(path, kind) as f:
        names = only if only is not None else [n for n in declared_names(kind) if n in f]
        missing = [n for n in names if n not in f]
        if missing:
            raise ArtefactError(f"{path} lacks the dataset(s) {', '.join(missing)}. {_REMAKE}")
        data = {n: _loaded(f[n]) for n in names}
        attrs = attributes(f)
        return Artefact(kind, data, attrs, attrs["content_hash"])


@contextmanager
def opened(path, kind: str | None = None) -> Iterator[h5py.File]:
    """Open an artefact for reading, checked for kind and schema version (see :func:`read`)."""
    if not Path(path).is_file():
        raise ArtefactError(f"{path} does not exist. {_REMAKE}")
    try:
        f = h5py.File(path, "r")
    except OSError as error:
        raise _unreadable(path, error) from error
    with f:
        found, version = f.attrs.get("kind"), f.attrs.get("schema_version")
        if found is None or version != SCHEMA_VERSION or kind not in (None, found):
            raise ArtefactError(
                f"{path} is of kind {found}, schema {version}; this step needs {kind or 'any kind'}, schema {SCHEMA_VERSION}. "
                + _REMAKE
            )
        yield f


def attributes(f: h5py.File) -> dict[str, Any]:
    """The attributes of an open artefact, of the types declared: plain Python, tuples for more than one value.

    Raises
    ------
    ArtefactError
        If one is missing or of another type.
    """
    declared = PROVENANCE | OUTCOME | _declared(str(f.attrs["kind"])).attributes
    missing = [name for name in declared if name not in f.attrs]
    if missing:
        raise ArtefactError(f"{f.filename} lacks the attribute(s) {', '.join(missing)}. {_REMAKE}")
    try:
        return {name: spec.typed(f.attrs[name]) for name, spec in declared.items()}
    except TypeError as error:
        raise ArtefactError(
            f"{f.filename} has an attribute of another type than declared: {error}. {_REMAKE}"
        ) from error


def declared_names(kind: str) -> list[str]:
    """Names of the datasets that a kind declares."""
    return list(_declared(kind).fields)


def read_text(dataset: h5py.Dataset) -> np.ndarray:
    """The values of a dataset of text of an open artefact, array of str of the dataset's shape."""
    return dataset.asstr()[...].astype(str) if dataset.size else np.empty(dataset.shape, "U1")


def input_hash(path) -> str:
    """Hash that stands for an input file: the content hash of an artefact, else sha256 of the bytes.

    Of an artefact it is computed anew: nothing is made from content that changed after it was written, be it by a hand
    or by a disk.

    Raises
    ------
    ArtefactError
        If an artefact is damaged, or was altered after it was written.
    """
    recorded = recorded_hash(path)
    if recorded is None:
        with Path(path).open("rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()
    try:
        with h5py.File(path, "r") as f:
            found = content_hash(f)
    except (OSError, KeyError) as error:
        raise _unreadable(path, error) from error
    if found != recorded:
        raise ArtefactError(f"{path}: content differs from its recorded hash. Delete it. {_REMAKE}")
    return recorded


def recorded_hash(path) -> str | None:
    """The content hash that an artefact has recorded; None of another file.

    Raises
    ------
    ArtefactError
        If the artefact cannot be read.
    """
    if not str(path).endswith(".h5"):
        return None
    try:
        with h5py.File(path, "r") as f:
            return str(f.attrs["content_hash"]) if "content_hash" in f.attrs else None
    except OSError as error:
        raise _unreadable(path, error) from error


def content_hash(f: h5py.File) -> str:
    """sha256 over an open artefact's datasets (names, units, shapes, types, values) and attributes, not its provenance."""
    digest = hashlib.sha256()
    for name in sorted(n for n in f if not _is_bare_dimension(f[n])):
        dataset = f[name]
        text = h5py.check_string_dtype(dataset.dtype) is not None
        head = [name, dataset.attrs["units"], list(dataset.shape), "str" if text else dataset.dtype.str]
        digest.update(json.dumps(head).encode())
        for block in _blocks(dataset):
            digest.update(json.dumps([s.decode() for s in block.ravel()]).encode() if text else block.tobytes())
    for name in sorted(set(f.attrs) - set(PROVENANCE)):
        digest.update(json.dumps([name, np.asarray(f.attrs[name]).tolist()], default=str).encode())
    return digest.hexdigest()


def sweep(folder) -> list[Path]:
    """Delete what killed writers, of files and of folders, left behind under ``folder``; returns the deleted paths.

    Only while nothing else writes there: the parts of a running job look the same.
    """
    leftovers = sorted(Path(folder).rglob(".*.part"))
    for path in leftovers:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return leftovers


_REMAKE = (
    "Remake it with the workflow (snakemake --cores 8 --configfile configs/YOUR.yaml), or with the mangrove command that "
    "wrote it."
)


def _unreadable(path, error: Exception) -> ArtefactError:
    return ArtefactError(f"{path} is not a readable HDF5 file ({error}). Delete it. {_REMAKE}")


def _place(path: str, output: Path) -> str:
    stored = Path(path).is_absolute() and not output.is_absolute()
    return Path(path).name if stored else os.path.relpath(path, output.parent)


def _declared(kind: str) -> Kind:
    if kind not in KINDS:
        raise ArtefactError(f"unknown artefact kind '{kind}'; known are {', '.join(KINDS)}")
    return KINDS[kind]


def _check_names(
    kind: str, what: str, declared: Collection[str], required: Collection[str], given: Collection[str]
) -> None:
    missing = [name for name in declared if name in required and name not in given]
    unknown = [name for name in given if name not in declared]
    if missing or unknown:
        raise ArtefactError(f"artefact '{kind}': missing {what} {missing}, undeclared {what} {unknown}")


def _checked_attributes(kind: str, declared: Kind, attrs: Mapping[str, Any]) -> dict[str, Any]:
    specs = OUTCOME | declared.attributes
    _check_names(kind, "attributes", specs, specs, attrs)
    checked = {}
    for name, spec in specs.items():
        try:
            checked[name] = spec.typed(attrs[name])
        except TypeError as error:
            raise ArtefactError(f"artefact '{kind}': attribute {name}: {error}") from error
    return checked


def _dim_sizes(kind: str, declared: Kind, data: Mapping) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name, values in data.items():
        dims, shape = declared.fields[name].dims, np.shape(values)
        if len(dims) != len(shape):
            raise ArtefactError(f"artefact '{kind}': {name} has shape {shape}, declared dims are {dims}")
        for dim, size in zip(dims, shape, strict=True):
            if sizes.setdefault(dim, size) != size:
                raise ArtefactError(f"artefact '{kind}': {name} has {dim} = {size}, others have {sizes[dim]}")
    return sizes


def _create(f: h5py.File, declared: Kind, dims: Mapping[str, int], only: set[str] | None) -> None:
    fields = {n: d for n, d in declared.fields.items() if only is None or n in only}
    coordinates = {n for n, d in fields.items() if d.dims == (n,)}
    for dim in sorted({d for x in fields.values() for d in x.dims} - coordinates):
        scale = f.create_dataset(dim, shape=(dims[dim],), dtype=">f4")
        scale.make_scale(_BARE_DIMENSION + b"%10d" % dims[dim])
    # Scales before what they are attached to.
    for name, spec in sorted(fields.items(), key=lambda item: item[0] not in coordinates):
        shape = tuple(dims[d] for d in spec.dims)
        packed = (
            {"compression": "gzip", "compression_opts": 4, "shuffle": True} if spec.packed and 0 not in shape else {}
        )
        dataset = f.create_dataset(name, shape=shape, dtype=_stored_type(spec), **packed)
        dataset.attrs["units"], dataset.attrs["long_name"] = spec.unit, spec.meaning
        if spec.codes:
            dataset.attrs["flag_values"] = np.array(list(spec.codes), spec.dtype)
            dataset.attrs["flag_meanings"] = " ".join(code.word for code in spec.codes)
        if name in coordinates:
            dataset.make_scale(name)
            continue
        for axis, dim in enumerate(spec.dims):
            dataset.dims[axis].attach_scale(f[dim])


def _write_attrs(f: h5py.File, kind: str, prov: Provenance, attrs: Mapping[str, Any]) -> None:
    for name in sorted(attrs):
        f.attrs[name] = attrs[name]
    f.attrs["kind"], f.attrs["schema_version"] = kind, SCHEMA_VERSION
    f.attrs["params"] = json.dumps(dict(prov.params), sort_keys=True)
    f.attrs["inputs"] = json.dumps(dict(prov.inputs), sort_keys=True)
    f.attrs["content_hash"] = content_hash(f)


def _stored_type(spec: Field):
    return h5py.string_dtype() if spec.dtype == "str" else np.dtype(spec.dtype)


def _as_stored(values, spec: Field):
    if spec.dtype == "str":
        return np.array([str(v) for v in np.ravel(values)], dtype=object).reshape(np.shape(values))
    return np.asarray(values).astype(spec.dtype)


def _loaded(dataset: h5py.Dataset) -> np.ndarray:
    return read_text(dataset) if h5py.check_string_dtype(dataset.dtype) is not None else dataset[...]


def _blocks(dataset: h5py.Dataset) -> Iterator[np.ndarray]:
    if dataset.ndim == 0 or dataset.size == 0:
        yield np.asarray(dataset[()])
        return
    rows = max(1, _HASH_BLOCK_BYTES // max(1, dataset[:1].nbytes))
    for start in range(0, len(dataset), rows):
        yield dataset[start : start + rows]


def _is_bare_dimension(dataset: h5py.Dataset) -> bool:
    return bytes(dataset.attrs.get("NAME", b"")).startswith(_BARE_DIMENSION[:30])
