"""The line table: vacuum wavelengths, tied lines, the lines of the windows."""

import numpy as np

from mangrove.physics.lines import fit_lines, window_lines


def test_the_windows_are_the_19_lines_of_the_paper():
    wave = [3727.09, 3729.88, 3798.98, 3836.47, 3889.00, 4102.89, 4341.68, 4364.44, 4862.68, 4960.30, 5008.24]
    wave += [6302.05, 6365.54, 6529.03, 6549.86, 6564.61, 6585.27, 6718.29, 6732.67]
    np.testing.assert_array_equal(window_lines().wave, wave)


def test_names_round_to_their_wavelengths():
    for name, wave in zip(fit_lines().name, fit_lines().wave, strict=True):
        assert int(name.split("_")[1]) == round(wave)


def test_the_dap_numbers_lines_by_the_whole_angstrom_below():
    for lines in (fit_lines(), window_lines()):
        for name, dap_name, wave in zip(lines.name, lines.dap_name, lines.wave, strict=True):
            ion, number = dap_name.split("-")
            assert int(number) == int(wave)
            assert name.startswith(ion) or name[0] == ion[0] == "H"


def test_fixed_ratios():
    lines = fit_lines()
    weak, strong = lines.index("OIII_4960"), lines.index("OIII_5008")
    assert lines.partner[weak] == strong
    # Storey & Zeippen (2000).
    np.testing.assert_allclose(1 / lines.ratio[weak], 2.98, atol=0.01)
    np.testing.assert_allclose(1 / lines.ratio[lines.index("NII_6550")], 3.05, atol=0.01)
    free = lines.partner == np.arange(len(lines.name))
    np.testing.assert_array_equal(lines.ratio[free], 1.0)
