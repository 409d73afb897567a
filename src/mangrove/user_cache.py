"""Where mangrove keeps what it can make again, beside the caches of other programs."""

import os
from pathlib import Path


def user_cache() -> Path:
    """The folder of all programs' caches, as the XDG base directory specification names it; it may not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
