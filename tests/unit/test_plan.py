import pytest

from mangrove.survey.plan import plan


def test_a_thousand_galaxies():
    # 250 fits of 0.4 s and 15 s of the rest; 60 MB of cube and 18 MB of artefacts.
    assert plan(1000, True) == pytest.approx((1000 * 115 / 3600, 78.0))
    assert plan(1000, False).disk_gb == pytest.approx(18.0)
