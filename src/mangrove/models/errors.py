"""Errors of training and of trained models."""

from mangrove.errors import MangroveError


class TrainingError(MangroveError):
    """A training run cannot start, go on or be resumed."""


class ModelError(MangroveError):
    """A model folder is missing or altered, or a model was asked for what it cannot give."""
