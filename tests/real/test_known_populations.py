"""Truth: labels of spectra that are made of E-MILES populations and fitted with MaStar; limits as recorded."""

import os

import pytest

from mangrove.spectra.fit.settings import FitSettings
from mangrove.validation.known_populations import other_library, recover

N = 400 if os.environ.get("MANGROVE_VALIDATE") else 16


@pytest.mark.xdist_group("truth")
def test_labels_of_another_library_are_within_their_limits(real_data):
    case = other_library(30.0, str(real_data / "templates" / "emiles_kroupa_basti.h5"))
    rows = recover(case, N, FitSettings(), "batched", n_process=1)
    assert rows[0].n_value > 0.8 * N
    assert [f"{row.label}: bias {row.bias:.3f}, rms {row.rms:.3f}" for row in rows if row.holds == "no"] == []
