"""The lines that an autoencoder may be told to see."""

from collections.abc import Sequence

from mangrove.errors import ConfigError
from mangrove.physics.lines import window_lines


def demand_known_lines(names: Sequence[str]) -> None:
    """Check that the lines of ``autoencoder.lines`` are among those of the emission-line cubes.

    Raises
    ------
    ConfigError
        With the unknown names and the known ones.
    """
    known = window_lines().name
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"autoencoder.lines: unknown line {', '.join(unknown)}; known are {', '.join(known)}.")
