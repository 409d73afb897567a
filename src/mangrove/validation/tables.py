"""Tables (CSV) of judgements."""

from collections.abc import Sequence

import pandas as pd


def write_rows(path, rows: Sequence, otherwise: str) -> None:
    """Write rows (named tuples or mappings) as a table; without any, a table whose one column says why."""
    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=[otherwise])
    frame.to_csv(path, index=False, float_format="%.4g")
