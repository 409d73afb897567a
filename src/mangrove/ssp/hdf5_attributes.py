"""What the attributes of an HDF5 dataset state, as the programs that write such files spell it."""

import h5py
import numpy as np

from mangrove.errors import TemplateError

#: Other names of attributes.
_SAME = {"units": "unit", "medium": "frame", "axes": "dims", "dimensions": "dims"}
#: Attributes of netCDF that change values, and the value that changes nothing.
_PACKING = {"scale_factor": 1.0, "add_offset": 0.0}


def stated(dataset: h5py.Dataset) -> dict[str, str]:
    """Attributes as text by name in lower case: ``unit`` (or ``units``), ``frame`` (or ``medium``), ``dims`` and others.

    Where no attribute says ``dims``, labels or scales of the dimensions do, if all have one.

    Raises
    ------
    TemplateError
        If an attribute says that the values are packed (``scale_factor``, ``add_offset``).
    """
    attributes = {_SAME.get(name.lower(), name.lower()): _text(value) for name, value in dataset.attrs.items()}
    for name, neutral in _PACKING.items():
        if name in attributes and attributes[name] != _text(neutral):
            raise TemplateError(
                f"{dataset.file.filename}: the dataset {dataset.name[1:]} is packed ({name} {attributes[name]}). Write plain "
                "values without this attribute."
            )
    names = [_name_of(dimension) for dimension in getattr(dataset, "dims", ())]
    if names and all(names):
        attributes.setdefault("dims", ",".join(names))
    return attributes


def _name_of(dimension) -> str:
    """A dimension's label, or the name of the dataset that is its scale; empty if it has neither."""
    return dimension.label or (dimension[0].name.rpartition("/")[2] if len(dimension) else "")


def _text(value) -> str:
    values = [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in np.ravel(value).tolist()]
    return ",".join(values)
