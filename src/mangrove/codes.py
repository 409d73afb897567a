"""Every status, class and bit that artefacts and exported files hold, once: its number, its name, its meaning.

The numbers stand in files on users' disks and never change; a new member takes a new one. The data model, the tables of
the documentation, FITS headers and the report take names and meanings from here. A meaning stands in the docstring of
the class: docstrings are no part of the code hash, so a better wording reruns nothing. The truth of the simulated survey
(:mod:`mangrove.survey.simulation.truth`) has codes of its own, and the bits of MaNGA and of its DAP are theirs.
"""

import re
from enum import IntEnum, IntFlag
from functools import cache
from inspect import cleandoc


class _Described:
    """A member of an enumeration whose docstring lists its members as ``- NAME: meaning``."""

    @property
    def word(self) -> str:
        """The name as artefacts and tables have it: ``no_fit``."""
        return self.name.lower()

    @property
    def meaning(self) -> str:
        """What it means, in plain ASCII, and short enough for a card of a FITS header where exported files name it.

        Empty where Python has dropped the docstrings (``-OO``).
        """
        return _meanings(type(self)).get(self.name, "")


@cache
def _meanings(kind: type) -> dict[str, str]:
    return dict(re.findall(r"^- (\w+): (.+)$", cleandoc(kind.__doc__ or ""), re.MULTILINE))


class Code(_Described, IntEnum):
    """A state: each thing has exactly one."""


class Bits(_Described, IntFlag):
    """Properties that may hold at the same time, one bit each; 0 if none does."""

    @property
    def words(self) -> str:
        """The names of all that hold, by commas; empty if none does."""
        return ", ".join(bit.word for bit in self)


#: One of the enumerations below.
Enumeration = type[Code] | type[Bits]


class SpaxelStatus(Code):
    """What became of a spaxel (artefact 'extract').

    - BINNED: member of a baxel
    - OUTSIDE_FIELD: no good pixel in the whole spectrum
    - FOREGROUND_STAR: covered by a foreground star
    - MASKED: too little good data in the continuum range or overall
    - BELOW_MIN_SNR: S/N below extract.min_snr
    """

    BINNED = 0
    OUTSIDE_FIELD = 1
    FOREGROUND_STAR = 2
    MASKED = 3
    BELOW_MIN_SNR = 4


class FitStatus(Code):
    """Outcome of the fit of a baxel.

    - OK: fitted
    - TOO_FEW_PIXELS: too few good pixels for a fit
    - ALL_MASKED: no good pixel in the fitted range
    - NOT_CONVERGED: the fit gave no finite solution
    - VELOCITY_AT_BOUND: velocity at the bound: wrong z, nothing to fit
    - SIGMA_STAR_AT_BOUND: stellar dispersion at its upper bound
    - SIGMA_BELOW_LSF: dispersion smaller than its LSF correction
    - NO_STELLAR_CONTINUUM: none found, or too faint for a velocity
    - GAS_AT_BOUND: gas at a bound: lines too faint or too broad
    - STOPPED_EARLY: it ended before its chi2 was at its lowest
    """

    OK = 0
    TOO_FEW_PIXELS = 1
    ALL_MASKED = 2
    NOT_CONVERGED = 3
    VELOCITY_AT_BOUND = 4
    SIGMA_STAR_AT_BOUND = 5
    SIGMA_BELOW_LSF = 6
    NO_STELLAR_CONTINUUM = 7
    GAS_AT_BOUND = 8
    STOPPED_EARLY = 9


class GasModel(Code):
    """What the gas of a baxel is made of in its model (fit.gas_components, fit.broad_lines).

    - NONE: the baxel has no fit
    - ONE_GAUSSIAN: one component of all lines
    - TWO_GAUSSIANS: two components of all lines
    - ONE_AND_BROAD: one component of all lines, and a broad one of the Balmer lines
    - TWO_AND_BROAD: two components of all lines, and a broad one of the Balmer lines
    """

    NONE = 0
    ONE_GAUSSIAN = 1
    TWO_GAUSSIANS = 2
    ONE_AND_BROAD = 3
    TWO_AND_BROAD = 4


class LineStatus(Code):
    """Whether a line of a baxel has a flux.

    - OK: measured (not necessarily detected)
    - OUTSIDE_RANGE: not in the fitted range
    - MASKED: less than half of its flux falls on good pixels
    - NO_FIT: the baxel has no fit
    """

    OK = 0
    OUTSIDE_RANGE = 1
    MASKED = 2
    NO_FIT = 3


class LineShape(Bits):
    """What the data say against the profile of a line.

    - NOT_ONE_GAUSSIAN: the data reject the profile that was fitted
    - DOUBLET_RATIO_REJECTED: the data reject the fixed ratio of its doublet
    """

    NOT_ONE_GAUSSIAN = 1
    DOUBLET_RATIO_REJECTED = 2


class BptClass(Code):
    """Class of a baxel in the BPT diagram, by the curves that divide it (Kewley et al. 2006; Schawinski et al. 2007).

    - NONE: one of the four lines is not above 2 sigma
    - STAR_FORMING: below the curve of Kauffmann+ (2003)
    - COMPOSITE: between that and Kewley+ (2001)
    - SEYFERT: beyond both, above Schawinski+ (2007)
    - LINER: beyond both, below Schawinski+ (2007)
    """

    # 3 is left out: it is the AGN of DBptClass, whose other numbers mean much the same.
    NONE = 0
    STAR_FORMING = 1
    COMPOSITE = 2
    SEYFERT = 4
    LINER = 5


class DBptClass(Code):
    """Class of a baxel by d_bpt, its distance from the curve of Kauffmann et al. (2003).

    - NONE: one of the four lines is not above 2 sigma
    - STAR_FORMING: below the curve
    - COMPOSITE: up to 0.3 dex beyond the curve
    - AGN: beyond that, or log [NII]/Halpha >= 0.05
    """

    NONE = 0
    STAR_FORMING = 1
    COMPOSITE = 2
    AGN = 3


class TrainingCut(Code):
    """The cut that removed a baxel from the training spectra.

    - KEPT: in the training spectra
    - TOO_FEW_GOOD_PIXELS: fraction of good bins below training_spectra.min_good_fraction
    - LOW_SNR: S/N below training_spectra.min_snr
    - NO_NORMALISATION: no positive flux in the normalisation band
    - LOWEST_MINIMUM: among the lowest minima of the sample
    - HIGHEST_MAXIMUM: among the highest maxima of the sample away from emission lines
    """

    KEPT = 0
    TOO_FEW_GOOD_PIXELS = 1
    LOW_SNR = 2
    NO_NORMALISATION = 3
    LOWEST_MINIMUM = 4
    HIGHEST_MAXIMUM = 5


class Split(Code):
    """What the spectra and cubes of a galaxy are for.

    - TRAIN: networks learn from them
    - VALIDATION: they determine when training stops
    - TEST: they are used to judge the result
    """

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


class LabelFlag(Bits):
    """Why a label, velocity, dispersion or line is missing or should not be trusted.

    Bits up to 64, 16384 and 131072 come with a missing value (NaN); the others qualify a value.

    - NO_FIT: too few or no good pixels, or no convergence
    - NO_WEIGHTS: no template has a positive weight
    - NO_MASSES: the template library has no masses
    - LINE_MISSING: a line is outside the fitted range or masked
    - LINE_NEGATIVE: a line's flux is not positive: no logarithm
    - ZERO_CONTINUUM: no positive stellar continuum at line or in r
    - NO_COVERAGE: less than 90 % of the r band is covered
    - LOW_SNR: undetermined: too faint, or error too large
    - POOR_FIT: reduced chi2 of 2 or more
    - NEGATIVE_DECREMENT: Halpha/Hbeta below 2.86: no dust assumed
    - BELOW_LSF: dispersion smaller than its LSF correction
    - AT_BOUND: velocity, dispersion or E(B-V) at a bound
    - NOT_STAR_FORMING: the BPT class is not star-forming
    - UPPER_LIMIT: Halpha not above 2 sigma: a limit, no value
    - NOT_ONE_GAUSSIAN: the data reject the profile of a line used
    - DOUBLET_RATIO_REJECTED: the data reject the ratio of the doublet
    - NO_AREA: no area on the sky, or no distance
    - STOPPED_EARLY: the fit ended before its chi2 was at its lowest
    - OTHER_MINIMUM: gas at another velocity fits as well
    """

    NO_FIT = 1 << 0
    NO_WEIGHTS = 1 << 1
    NO_MASSES = 1 << 2
    LINE_MISSING = 1 << 3
    LINE_NEGATIVE = 1 << 4
    ZERO_CONTINUUM = 1 << 5
    NO_COVERAGE = 1 << 6
    LOW_SNR = 1 << 7
    POOR_FIT = 1 << 8
    NEGATIVE_DECREMENT = 1 << 9
    BELOW_LSF = 1 << 10
    AT_BOUND = 1 << 11
    # Bit 12 is MapFlag.NO_BAXEL.
    NOT_STAR_FORMING = 1 << 13
    UPPER_LIMIT = 1 << 14
    NOT_ONE_GAUSSIAN = 1 << 15
    DOUBLET_RATIO_REJECTED = 1 << 16
    NO_AREA = 1 << 17
    STOPPED_EARLY = 1 << 18
    OTHER_MINIMUM = 1 << 19


class MapFlag(Bits):
    """What the exported maps of flags say of a spaxel beside the bits of :class:`LabelFlag`.

    - NO_BAXEL: the spaxel is in no baxel
    """

    NO_BAXEL = 1 << 12


class BaxelQuality(Bits):
    """What is wrong with a baxel, in the exported tables.

    Bits of :class:`LabelFlag` that hold for a baxel as a whole keep their number; bits 24 and above are its own.

    - NO_FIT: too few or no good pixels, or no convergence
    - POOR_FIT: reduced chi2 of 2 or more
    - FIT_NOT_OK: fit_status is not 0
    - CENTRE_OUTSIDE_FIELD: its galaxy's centre is outside the field
    - NO_POSITION: ra, dec are unknown
    - WIDE: its spaxels spread over more than 0.5 R_e rms
    """

    NO_FIT = LabelFlag.NO_FIT.value
    POOR_FIT = LabelFlag.POOR_FIT.value
    FIT_NOT_OK = 1 << 24
    CENTRE_OUTSIDE_FIELD = 1 << 25
    NO_POSITION = 1 << 26
    WIDE = 1 << 27


class GalaxyQuality(Bits):
    """What is wrong with a galaxy, in the exported tables.

    - NO_BAXELS: nothing could be fitted
    - MISSING_CUBE: the archive has no cube
    - CRITICAL: DRP3QUAL has the bit CRITICAL
    - TOO_FAINT: no spaxel is bright enough
    - ALL_MASKED: no spaxel has enough good pixels
    - CENTRE_OUTSIDE_FIELD: ra, dec lie outside the field
    - NO_WCS: the cube has no celestial frame
    - NO_GOOD_FIT: all baxels are flagged
    """

    NO_BAXELS = 1 << 0
    MISSING_CUBE = 1 << 1
    CRITICAL = 1 << 2
    TOO_FAINT = 1 << 3
    ALL_MASKED = 1 << 4
    CENTRE_OUTSIDE_FIELD = 1 << 5
    NO_WCS = 1 << 6
    NO_GOOD_FIT = 1 << 7


class PredictionFlag(Bits):
    """Why the emulator predicts nothing for a continuum, or has to extrapolate.

    - BAD_FLUX: a bin's flux is not finite or not positive: no prediction
    - BAD_LUMINOSITY: the luminosity is not finite: no prediction
    - FAINT_OR_LUMINOUS: luminosity outside the range of the training: extrapolation
    - STRANGE_COLOUR: a colour outside the range of the training: extrapolation
    """

    BAD_FLUX = 1 << 0
    BAD_LUMINOSITY = 1 << 1
    FAINT_OR_LUMINOUS = 1 << 2
    STRANGE_COLOUR = 1 << 3


class PlacementFlag(Bits):
    """What to know of the place of a new spectrum on the map of spectra.

    - MANY_FILLED: more than 2 % of the bins have no data and were interpolated
    - OTHER_RESOLUTION: its resolving power is not within 15 % of the training spectra's
    - RESOLUTION_UNKNOWN: its line spread is not known
    - EXTINCTION_LEFT: Galactic extinction was not removed; the training spectra's was
    - ERRORS_UNKNOWN: it has no errors, so that no pixel is known to be bad
    - UNTYPICAL: less than 1 % of the training set lies farther from its node
    - REDSHIFT_DOUBTFUL: the pipeline that measured its redshift warns of it (SDSS: ZWARNING is not 0)
    - LOW_SNR: its S/N is below the smallest of the training spectra
    - MEDIUM_UNKNOWN: whether its wavelengths are in air or in vacuum is not known; they were taken to be in vacuum
    """

    MANY_FILLED = 1 << 0
    OTHER_RESOLUTION = 1 << 1
    RESOLUTION_UNKNOWN = 1 << 2
    EXTINCTION_LEFT = 1 << 3
    ERRORS_UNKNOWN = 1 << 4
    UNTYPICAL = 1 << 5
    REDSHIFT_DOUBTFUL = 1 << 6
    LOW_SNR = 1 << 7
    MEDIUM_UNKNOWN = 1 << 8


class AnomalyCause(Bits):
    """Causes of an anomalous line cube that are not the galaxy, where there is evidence for them.

    - SKY_RESIDUAL: the residuals lie at wavelengths of night-sky lines, over the whole field
    - FOREGROUND_STAR: part of the field is covered by a foreground star
    - CROPPED_FIELD: much of the square around the galaxy has no data
    - WRONG_REDSHIFT: the lines lie away from the centres of their windows
    - BAD_CALIBRATION: continuum of one line against that of its neighbours is far from that of the other galaxies
    - LINE_WITHOUT_DATA: a line falls outside the spectrum or is masked everywhere
    """

    SKY_RESIDUAL = 1 << 0
    FOREGROUND_STAR = 1 << 1
    CROPPED_FIELD = 1 << 2
    WRONG_REDSHIFT = 1 << 3
    BAD_CALIBRATION = 1 << 4
    LINE_WITHOUT_DATA = 1 << 5
