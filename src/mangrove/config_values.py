"""Values of the configuration: the types of its keys, and what every section checks."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from mangrove import paths

#: Largest seed: what generators of NumPy and of JAX both take.
MAX_SEED = 2**32 - 1
RUN_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
#: Type of the error that keys contradict each other.
CONFLICT = "conflict"
#: Type of the error that a key that is not a boolean was given true or false.
NOT_BOOLEAN = "not_boolean"
#: A number with underscores between its digits.
_GROUPED = re.compile(r"[-+]?[0-9.]+_[0-9_.]*([eE][-+]?[0-9_]+)?")


def rising_wavelengths(value: list[float]) -> list[float]:
    """The two wavelengths, if they are above 0 and the second is the larger one.

    Raises
    ------
    ValueError
        If they are not.
    """
    if value[0] <= 0:
        raise ValueError(f"wavelengths must be above 0; the lower end is {value[0]:g}")
    if value[0] >= value[1]:
        raise ValueError(f"the lower end {value[0]:g} must be below the upper end {value[1]:g}")
    return value


#: Two wavelengths.
Range = Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(rising_wavelengths)]
#: A path on this machine, and one that may also be an address on a server; the rule is that of :mod:`mangrove.paths`.
LocalPath = Annotated[str, AfterValidator(paths.local)]
Address = Annotated[str, AfterValidator(paths.address)]


class Section(BaseModel):
    """A section of the configuration: unknown keys are errors, and a value is of its key's own type."""

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _underscores_are_in_no_number(cls, value, info):
        """pydantic takes 1_5 for 15, which other readers of YAML take for text."""
        given = value if isinstance(value, list) else [value]
        is_text = cls.model_fields[info.field_name].annotation in (str, list[str])
        if not is_text and any(isinstance(v, str) and _GROUPED.fullmatch(v.strip()) for v in given):
            raise PydanticCustomError("underscore", "must be a number without underscores")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value, info):
        """pydantic takes true for 1 in every key of a number."""
        given = value if isinstance(value, list) else [value]
        if cls.model_fields[info.field_name].annotation is not bool and any(isinstance(v, bool) for v in given):
            raise PydanticCustomError(NOT_BOOLEAN, "must not be true or false")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_neither_true_nor_false(cls, value, info):
        """pydantic takes 1, 0, 1.0 and 0.0."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if cls.model_fields[info.field_name].annotation is bool and is_number:
            raise PydanticCustomError("bool_type", "must be true or false")
        return value


def conflict(message: str, keys: list[str], mend: tuple[str, object]) -> PydanticCustomError:
    """The error that keys contradict each other.

    Parameters
    ----------
    message : str
        What is wrong, without a full stop.
    keys : list of str
        The keys that disagree, with their sections: 'sample.z_min'.
    mend : tuple
        A key, with its section, and a value that would resolve it.
    """
    return PydanticCustomError(CONFLICT, message, {"keys": keys, "mend": mend})


def is_section(annotation) -> bool:
    """Whether the type of a key is a section of the configuration."""
    return isinstance(annotation, type) and issubclass(annotation, Section)
