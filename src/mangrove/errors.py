"""Errors that a user can mend. Their text says what is wrong, where, and how to mend it."""


class MangroveError(Exception):
    """Base of all errors that a user can mend; anything else is a programming error."""


class ConfigError(MangroveError):
    """A configuration file is wrong."""


class SampleError(MangroveError):
    """A sample sheet is missing or wrong."""


class CatalogueError(MangroveError):
    """A survey catalogue cannot be read or lacks a column."""


class CubeError(MangroveError):
    """A data cube cannot be read, or is not what was asked for."""


class SpectrumError(MangroveError):
    """A spectrum has arrays or units that do not fit, or does not cover what is fitted."""


class DownloadError(MangroveError):
    """A file could not be fetched from the archive."""


class MissingError(DownloadError):
    """The archive does not have a file."""


class TemplateError(MangroveError):
    """A library of stellar templates is missing, wrong, or does not cover the data."""


class ArtefactError(MangroveError):
    """An HDF5 artefact is missing, damaged, or of another schema."""


class TrainingError(MangroveError):
    """A training run cannot start, go on or be resumed."""


class ModelError(MangroveError):
    """A model folder is missing or altered, or a model was asked for what it cannot give."""


class OutputError(MangroveError):
    """A file would be replaced that is not the command's own, or cannot be written."""


class WorkerError(MangroveError):
    """A process that computes for another was ended from outside."""
