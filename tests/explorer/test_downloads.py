"""Tables that are downloaded: the numbers and units that went in."""

import io

import numpy as np
import pandas as pd
import pytest
from astropy import units as u
from astropy.table import QTable, Table

from mangrove.explorer.downloads import csv_text, fits_bytes, measured


@pytest.fixture
def table():
    return Table(
        {
            "plateifu": ["7443-12703", "8485-1901"],
            "node": [3, 17],
            "v_star": measured([10.5, np.nan], "km s-1"),
            "log_age_lw": measured([9.25, 10.0], "dex(yr)"),
            "score": measured([1.5, 2.5], "1"),
        }
    )


def test_csv_has_the_unit_of_each_column_in_its_name(table):
    read = pd.read_csv(io.StringIO(csv_text(table)), dtype={"plateifu": str})
    assert list(read) == ["plateifu", "node", "v_star [km / s]", "log_age_lw [dex(yr)]", "score"]
    assert read["plateifu"].tolist() == ["7443-12703", "8485-1901"] and read["node"].tolist() == [3, 17]
    np.testing.assert_array_equal(read["v_star [km / s]"], [10.5, np.nan])
    np.testing.assert_array_equal(read["log_age_lw [dex(yr)]"], [9.25, 10.0])


def test_fits_gives_values_and_units_back(table):
    read = QTable.read(io.BytesIO(fits_bytes(table)), format="fits")
    assert read["v_star"].unit == u.km / u.s and read["log_age_lw"].unit == u.dex(u.yr)
    assert read["v_star"][0] == 10.5 * u.km / u.s and np.isnan(read["v_star"][1])
    assert [str(name) for name in Table.read(io.BytesIO(fits_bytes(table)))["plateifu"]] == table["plateifu"].tolist()


def test_the_table_that_goes_in_is_left_alone(table):
    csv_text(table), fits_bytes(table)
    assert table.colnames[2] == "v_star" and table["log_age_lw"].unit == u.dex(u.yr)
