"""Where the files that travel with mangrove lie (templates, line table)."""

from pathlib import Path

from mangrove.errors import MangroveError

_PACKAGE = Path(__file__).resolve().parent


def resource(name: str) -> Path:
    """Path of a file in ``resources/``, in a checkout or in an installed package.

    Raises
    ------
    MangroveError
        If there is no such file.
    """
    for folder in (_PACKAGE / "resources", _PACKAGE.parents[1] / "resources"):
        if (folder / name).is_file():
            return folder / name
    raise MangroveError(
        f"The resource '{name}' is missing from this installation of mangrove. "
        "Install it again from a complete checkout ('pip install .')."
    )
