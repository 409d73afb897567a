"""The frame of a BPT diagram."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from mangrove.codes import BptClass
from mangrove.physics.bpt import KEWLEY_LIMIT, bpt_class, kauffmann_2003, kewley_2001, schawinski_2007
from mangrove.report.limits import fenced_limits
from mangrove.report.line_names import HALPHA, HBETA, NII, OIII

#: What a diagram shows at least, and at most.
_LEAST, _MOST = ((-1.5, 0.5), (-1.2, 1.3)), ((-2.6, 1.0), (-2.0, 2.0))


def bpt_axes(axes: Axes, x=(), y=(), kind: str = "") -> None:
    """Curves, limits and labels of a BPT diagram.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        The points that will be drawn; the limits hold their bulk.
    kind : str
        What the ratios are of, where it is not fluxes.
    """
    limits = [_limits(*of) for of in zip((x, y), _LEAST, _MOST, strict=True)]
    curve = np.linspace(_MOST[0][0], KEWLEY_LIMIT, 2000)
    axes.plot(curve, kauffmann_2003(curve), "k--", lw=1.2, label="Kauffmann+ 2003", zorder=1)
    axes.plot(curve, kewley_2001(curve), "k-", lw=1.2, label="Kewley+ 2001", zorder=1)
    # Seyferts and LINERs are told apart beyond the maximum starburst alone.
    beyond = np.linspace(*_MOST[0], 500)
    line = np.where(
        bpt_class(beyond, schawinski_2007(beyond) + 1e-6) == BptClass.SEYFERT, schawinski_2007(beyond), np.nan
    )
    axes.plot(beyond, line, "k:", lw=1.2, label="Schawinski+ 2007", zorder=1)
    axes.set(xlim=limits[0], ylim=limits[1])
    # In a small panel, the numbers at closer ticks would touch.
    axes.xaxis.set_major_locator(MultipleLocator(0.5))
    axes.set_xlabel(f"log {kind}({NII} / {HALPHA})")
    axes.set_ylabel(f"log {kind}({OIII} / {HBETA})")


def _limits(values, least: tuple[float, float], most: tuple[float, float]) -> tuple[float, float]:
    low, high = fenced_limits(values) if np.isfinite(values).any() else least
    return max(min(low, least[0]), most[0]), min(max(high, least[1]), most[1])
