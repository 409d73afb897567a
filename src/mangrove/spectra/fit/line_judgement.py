"""What decides whether the data reject the profile of a line."""

#: Half width of a line's window: so many sigma of its profile, line spread included, and no less than this, km/s: for
#: chi2, which pixels without a line dilute, and for sums, which must hold the wings.
WINDOW_SIGMA, LEAST_HALF_WIDTH, LEAST_SUM_HALF_WIDTH = 3.0, 400.0, 800.0
#: The same of the windows of the lines that may be broad, km/s.
WIDE_HALF_WIDTHS = (1500.0, 3500.0)
#: A residual is significant beyond so many errors of the sum (its own scatter is 0.6-0.7 of that, since the fit has
#: followed the noise), and where chi2 of the window is less probable than this; a ratio beyond so many errors.
MAX_RESIDUAL, MIN_PROBABILITY, MAX_RATIO_RESIDUAL = 2.5, 1e-3, 4.0
#: What is taken as known of a line's flux, and of its profile pixel by pixel: the line spread of no spectrograph is
#: known better.
FLUX_FLOOR, PROFILE_FLOOR = 0.01, 0.03
#: Lines whose direct sum is below this many of its errors are not judged.
DETECTED = 5.0
