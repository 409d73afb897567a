"""Both engines on the real MaNGA spectra, with both libraries ('make validate'): no limit of the agreement is loosened."""

import os

import pytest
from engines import fitted
from support.baxels import real_baxels

from mangrove.validation.engine_agreement import compared, joined, summary

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("manga")]


IN_FULL = pytest.mark.skipif(not os.environ.get("MANGROVE_VALIDATE"), reason="a minute: set MANGROVE_VALIDATE=1")


@pytest.mark.parametrize("library", ["mastar", pytest.param("emiles", marks=IN_FULL)])
def test_real_spectra_keep_the_limits(real_data, library):
    templates = "mastar" if library == "mastar" else str(real_data / "templates" / "emiles_kroupa_basti.h5")
    sample = real_baxels(templates, data=real_data)
    results = {engine: [fitted(engine, one.galaxy, one.spectra) for one in sample] for engine in ("batched", "ppxf")}
    agreement = joined(
        compared(one.galaxy, one.table, one.spectra, found, reference)
        for one, found, reference in zip(sample, *results.values(), strict=True)
    )
    assert agreement.same_status.all()
    assert [row for row in summary(agreement) if not row.holds] == []
