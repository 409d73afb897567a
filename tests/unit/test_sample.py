"""Sample sheets: what is read, refused, and written again."""

import pytest

from mangrove.config import Config, Sample
from mangrove.errors import SampleError
from mangrove.survey.galaxy import Galaxy
from mangrove.survey.sample import is_as_written, lists, parse_sheet, read_sheet, rows_of, write_sheet
from mangrove.survey.target import MISSING

HEADER = "plateifu\tmangaid\tz\tebv\tra\tdec"
ROW = "8485-1901\t1-209232\t0.0407\t0.017\t232.54\t48.69"


def parse(*lines, **kwargs):
    return parse_sheet(lines, "sheet.tsv", **kwargs)


def test_round_trip(tmp_path):
    galaxies = [
        Galaxy("8485-1901", "1-209232", 0.0407, 0.017, 232.544703894, 48.6902009334, r_e=5.25, pa=105.0, ba=0.75),
        Galaxy("9001-1902", "1-2", 0.02, 0.0, 0.5, -3.0),
    ]
    write_sheet(tmp_path / "s.tsv", galaxies)
    found = read_sheet(Config(run="s", sample=Sample(sheet=str(tmp_path / "s.tsv"))))
    assert list(found.values()) == galaxies


def test_rows_for_some_galaxies_in_their_order(tmp_path):
    rows = [Galaxy(f"8485-190{i}", f"1-{i}", 0.01 * i, 0.0, 10.0 * i, 0.0) for i in (1, 2, 3)]
    write_sheet(tmp_path / "s.tsv", rows)
    assert rows_of(tmp_path / "s.tsv", ["8485-1903", "8485-1901"]) == [rows[2], rows[0]]
    with pytest.raises(
        SampleError, match=r"s\.tsv does not list 8485-1904, of which this run has data; add their rows"
    ):
        rows_of(tmp_path / "s.tsv", ["8485-1901", "8485-1904"])


def test_windows_line_ends_comments_and_empty_lines():
    found = parse(HEADER + "\r\n", ROW + "\r\n", "# a comment\r\n", "\r\n")
    assert found["8485-1901"].dec == 48.69
    assert found["8485-1901"].r_e == MISSING


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "line 1: missing column"),
        ([HEADER.replace("\t", ","), ROW], "line 1: the header has no tab; save the sheet as tab-separated text"),
        ([HEADER + "\tz\tdec", ROW + "\t0.1\t1"], "line 1: Duplicate column.s. z, dec. The columns"),
        ([HEADER + "\tspectrum", ROW.replace("48.69", "-9999") + "\t0"], "line 2: ra, dec of 8485-1901 are 232.54"),
        ([HEADER + "\tr_e", ROW + "\t0"], "line 2: r_e of 8485-1901 is 0; it must be above 0, or -9999 for missing"),
        ([HEADER + "\tba", ROW + "\t1.2"], "line 2: ba of 8485-1901 is 1.2; it must be above 0 and at most 1, or"),
        ([HEADER + "\tba", ROW + "\t0"], "line 2: ba of 8485-1901 is 0"),
        ([HEADER.replace("ebv", "EBV"), ROW], "line 1: missing column.s. ebv.*Unknown column.s. 'EBV'"),
        ([HEADER, ROW, ROW], "line 3: 8485-1901 is listed twice"),
        ([HEADER, ROW.replace("8485-1901", "8485_1901")], "line 2: plateifu '8485_1901' is malformed"),
        ([HEADER, ROW.replace("0.0407", "fast")], "line 2: z is 'fast'"),
        ([HEADER, ROW.replace("0.0407", "-9999")], "line 2: z of 8485-1901 is -9999.*Delete the row"),
        ([HEADER, ROW.replace("0.0407", "nan")], "line 2: z of 8485-1901 is nan; it must be between 0 and 1"),
        ([HEADER, ROW.replace("0.0407", "0")], "line 2: z of 8485-1901 is 0; it must be between 0 and 1"),
        ([HEADER, ROW.replace("0.0407", "nan")], "line 2: z of 8485-1901 is nan.*Delete the row"),
        ([HEADER, ROW.replace("0.0407", "")], "line 2: z is '', not a number"),
        ([HEADER, ROW.replace("0.0407", "inf")], "line 2: z of 8485-1901 is inf"),
        ([HEADER, ROW.replace("232.54", "nan")], "line 2: ra, dec of 8485-1901 are nan.*must be degrees"),
        ([HEADER, ROW.replace("48.69", "-9999")], "line 2: ra, dec of 8485-1901 are 232.54, -9999"),
        ([HEADER + "\tr_e", ROW + "\tinf"], "line 2: r_e of 8485-1901 must be finite; write -9999"),
        ([HEADER, ROW.replace("8485-1901", "8485-1901x")], "malformed; it must be PLATE-IFUDESIGN"),
        ([HEADER, ROW.replace("8485-1901", "")], "line 2: plateifu '' is malformed"),
        ([HEADER, "# note", "", ROW, ROW], "line 5: 8485-1901 is listed twice; delete one"),
        ([HEADER + "\tcolour", ROW + "\tred"], "line 1: Unknown column.s. 'colour'.*The columns"),
        ([HEADER, ROW.replace("0.017", "-1")], "line 2: ebv"),
        ([HEADER, ROW.replace("\t", " ")], "line 2: 1 fields, but the header has 6"),
        ([HEADER], "lists no galaxy"),
    ],
)
def test_mistakes_are_named_with_their_line(lines, message):
    with pytest.raises(SampleError, match=message):
        parse(*lines)


def test_any_name_only_where_files_are_listed():
    header, row = f"{HEADER}\tpath", f"{ROW}\ta.fits".replace("8485-1901", "abell478")
    assert "abell478" in parse(header, row, files=True)
    with pytest.raises(SampleError, match=r"plateifu '../x' is malformed"):
        parse(header, row.replace("abell478", "../x"), files=True)
    with pytest.raises(SampleError, match="plateifu 'abell478' is malformed"):
        parse(header, row)


@pytest.mark.parametrize(("header", "path"), [(HEADER, ""), (f"{HEADER}\tpath", "\t ")])
def test_files_need_a_path(header, path):
    with pytest.raises(SampleError, match=r"line 2: path of a1 is empty; survey.source files needs this column"):
        parse(header, ROW.replace("8485-1901", "a1") + path, files=True)


def test_shapes_may_be_missing_and_single_spectra_lie_nowhere():
    lost = ROW.replace("232.54", "-9999").replace("48.69", "-9999")
    found = parse(f"{HEADER}\tspectrum\tr_e\tba", f"{lost}\t0\t-9999\t")["8485-1901"]
    assert (found.ra, found.dec, found.r_e, found.ba) == (MISSING,) * 4
    with pytest.raises(SampleError, match="ra, dec of 8485-1901 are -9999, -9999; they must be degrees"):
        parse(HEADER, lost)


def test_a_sheet_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "s.tsv"
    path.write_bytes(f"{HEADER}\tmorphology\n{ROW}\tdéjà\n".encode("latin-1"))
    with pytest.raises(SampleError, match=r"s.tsv is not UTF-8 text; save it as UTF-8"):
        read_sheet(Config(sample=Sample(sheet=str(path))))


def test_subsets(tmp_path):
    path = tmp_path / "s.tsv"
    path.write_text("\n".join([HEADER, *(ROW.replace("1901", f"190{i}") for i in range(1, 5))]))

    def names(**sample):
        return list(read_sheet(Config(sample=Sample(sheet=str(path), **sample))))

    assert names(limit=2) == ["8485-1901", "8485-1902"]
    assert names(plateifus=["8485-1904", "8485-1902"]) == ["8485-1904", "8485-1902"]
    with pytest.raises(SampleError, match=r"names 8485-9999, .*; correct it, or add a row"):
        names(plateifus=["8485-9999"])


def test_a_missing_sheet_tells_the_two_ways_on():
    with pytest.raises(SampleError, match=r"(?s)mangrove select --config.*make demo"):
        read_sheet(Config(run="nowhere"))


def rows(*changes, header=HEADER, row=ROW):
    """A sheet's lines: the row with each of some replacements, under plateifus of their own."""
    lines = [header]
    for i, change in enumerate(changes, start=1):
        text = row.replace("8485-1901", f"8485-190{i}")
        for old, new in change.items():
            text = text.replace(old, new)
        lines.append(text)
    return lines


@pytest.mark.parametrize("field", ['"S0', '"S0" or Sa', '"', '"two\n', '"S0""'])
def test_a_quote_swallows_no_rows(field):
    header = f"{HEADER}\tmorphology"
    lines = rows({}, {}, {}, header=header, row=f"{ROW}\tSb")
    lines[2] = lines[2].replace("Sb", field)
    with pytest.raises(SampleError, match=r"line 3: a field begins with a quote .* Remove the quote"):
        parse(*lines)


def test_quotes_in_a_field_are_its_text():
    header = f"{HEADER}\tradio_class\tmorphology"
    lines = rows({}, {}, {}, header=header, row=f'{ROW}\t15" core\tSb')
    lines[2] = lines[2].replace("Sb", '"S0, ""lenticular"""')
    found = parse(*lines)
    assert [g.radio_class for g in found.values()] == ['15" core'] * 3
    assert [g.morphology for g in found.values()] == ["Sb", 'S0, "lenticular"', "Sb"]


@pytest.mark.parametrize("name", ["", " ", "-", "nan", "None", "N/A", "-9999", "--", "0"])
def test_a_galaxy_needs_a_mangaid_of_its_own(name):
    with pytest.raises(SampleError, match=r"line 2: mangaid of 8485-1901 is '.*'. It identifies the galaxy"):
        parse(HEADER, ROW.replace("1-209232", name))


def test_one_mangaid_at_two_places_of_the_sky():
    """232.54, 48.69: a minute of arc is 0.0167 deg in declination and 0.0253 deg in right ascension."""
    assert len(parse(*rows({}, {"48.69": "48.706"}, {"232.54": "232.565"}))) == 3, "repeat observations"
    for change in ({"48.69": "48.707"}, {"232.54": "232.566"}, {"48.69": "-48.69"}):
        with pytest.raises(
            SampleError,
            match=r"line 3: 8485-1902 has the same mangaid, 1-209232, as 8485-1901 in line 2, [\d.e+]+ arcmin away",
        ):
            parse(*rows({}, change))
    across = rows({"232.54": "0.001"}, {"232.54": "359.999"})
    assert len(parse(*across)) == 2, "0 and 360 deg are one"


@pytest.mark.parametrize("column", ["desom", "convlstm", "agn_wise", "agn_bat", "agn_radio", "agn_broad"])
@pytest.mark.parametrize("value", ["2", "-2", "-1", "0", "1"])
def test_flags_of_a_sheet(column, value):
    lines = [f"{HEADER}\t{column}", f"{ROW}\t{value}"]
    if value in ("0", "1") or (value == "-1" and column.startswith("agn")):
        assert getattr(parse(*lines)["8485-1901"], column) == int(value)
    else:
        with pytest.raises(SampleError, match=rf"line 2: {column} of 8485-1901 is {value}; it must be 1"):
            parse(*lines)


@pytest.mark.parametrize("text", ["0.04_07", "٠.٠٤", "0,0407", "1:30"])
def test_numbers_that_are_none_to_others_are_refused(text):
    with pytest.raises(SampleError, match=r"line 2: z is '.*', not a number"):
        parse(HEADER, ROW.replace("0.0407", text))


def test_one_spectrum_counts_once():
    header, row = f"{HEADER}\tpath\tspectrum", f"{ROW}\tspectra.fits\t0"
    alone = {"1-209232": "1-2"}
    assert len(parse(*rows({}, {**alone, "fits\t0": "fits\t1"}, header=header, row=row), files=True)) == 2
    with pytest.raises(
        SampleError, match=r"line 3: 8485-1902 has the same path .* as line 2, so the galaxy would count twice"
    ):
        parse(*rows({}, alone, header=header, row=row), files=True)


def test_a_written_sheet_is_known_until_a_line_is_changed(tmp_path):
    path = tmp_path / "s.tsv"
    galaxies = [
        Galaxy(f"8485-190{i}", f"1-{i}", 0.04, 0.0, 1.0, 1.0, morphology=text)
        for i, text in enumerate(['"S0', '15"', "#", "é"])
    ]
    write_sheet(path, galaxies)
    assert list(read_sheet(Config(sample=Sample(sheet=str(path)))).values()) == galaxies
    assert is_as_written(path) and lists(path, galaxies) and not lists(path, galaxies[1:])
    text = path.read_text(encoding="utf-8")
    for changed in (text.replace("0.04", "0.05", 1), "\n".join(text.splitlines()[:-1]) + "\n", text + "\n", ""):
        path.write_text(changed, encoding="utf-8")
        assert not is_as_written(path)
    path.write_text(text.replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert is_as_written(path), "ends of lines do not matter"
    assert not is_as_written(tmp_path / "none.tsv")
    path.write_bytes(b"\xff\xfe")
    assert not is_as_written(path)


def test_a_missing_sheet_of_own_files_is_written_by_hand():
    with pytest.raises(SampleError, match=r"does not exist. For your own files write it by hand"):
        read_sheet(Config.model_validate({"run": "nowhere", "survey": {"source": "files"}}))


def test_a_quote_in_a_comment_is_none_of_a_field():
    header = f"{HEADER}\tmorphology"
    lines = rows({}, {}, header=header, row=f"{ROW}\tSb")
    assert len(parse(lines[0], '# seeing\t"1.5\n', *lines[1:])) == len(parse(*lines)) == 2


def test_digits_of_other_scripts_make_no_plateifu():
    with pytest.raises(SampleError, match=r"plateifu .* is malformed"):
        parse(*rows({"8485": "848\u0665"}))
