"""How artefacts are declared: their datasets and kinds."""

from dataclasses import dataclass, field

from mangrove.codes import Enumeration
from mangrove.data_model_attributes import Attribute


@dataclass(frozen=True)
class Field:
    """One dataset: dims in order, NumPy type ('str' for text), unit, meaning, codes of its values, packed by gzip or not."""

    dims: tuple[str, ...]
    dtype: str
    unit: str
    meaning: str
    codes: Enumeration | None = None
    packed: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Kind:
    """One kind of artefact: where it lies in a run, what it is, its datasets, and the attributes of its own.

    All kinds have those of :data:`mangrove.data_model_attributes.PROVENANCE` and ``OUTCOME`` besides.
    """

    path: str
    description: str
    fields: dict[str, Field]
    attributes: dict[str, Attribute] = field(default_factory=dict)
