"""Where the real data lie; their absence skips with a reason, or fails where they are required."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def real_data(absent):
    folder = Path(os.environ.get("REAL_DATA", "../shared/data"))
    folder = folder if folder.is_absolute() else ROOT / folder
    if not folder.is_dir():
        absent("real", f"no real data: {folder} is not a folder; set REAL_DATA")
    return folder
