"""Sample sheets: what is read, refused, and written again."""

import pytest

from mangrove.config import Config, Sample
from mangrove.errors import SampleError
from mangrove.survey.sample import MISSING, Galaxy, parse_sheet, read_sheet, write_sheet

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


def test_windows_line_ends_comments_and_empty_lines():
    found = parse(HEADER + "\r\n", ROW + "\r\n", "# a comment\r\n", "\r\n")
    assert found["8485-1901"].dec == 48.69
    assert found["8485-1901"].r_e == MISSING


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "line 1: missing column"),
        ([HEADER.replace("\t", ","), ROW], "line 1: the header has no tab; save the sheet as tab-separated text"),
        ([HEADER + "\tz\tdec", ROW + "\t0.1\t1"], "line 1: Column.s. z, dec are there twice. The columns"),
        ([HEADER + "\tspectrum", ROW.replace("48.69", "-9999") + "\t0"], "line 2: ra, dec of 8485-1901 are 232.54"),
        ([HEADER + "\tr_e", ROW + "\t0"], "line 2: r_e of 8485-1901 is 0; it must be above 0, or -9999 for missing"),
        ([HEADER + "\tba", ROW + "\t1.2"], "line 2: ba of 8485-1901 is 1.2; it must be above 0 and at most 1, or"),
        ([HEADER + "\tba", ROW + "\t0"], "line 2: ba of 8485-1901 is 0"),
        ([HEADER.replace("ebv", "EBV"), ROW], "line 1: missing column.s. ebv.*Unknown column.s. 'EBV'"),
        ([HEADER, ROW, ROW], "line 3: 8485-1901 is there twice"),
        ([HEADER, ROW.replace("8485-1901", "8485_1901")], "line 2: plateifu '8485_1901' is malformed"),
        ([HEADER, ROW.replace("0.0407", "fast")], "line 2: z is 'fast'"),
        ([HEADER, ROW.replace("0.0407", "-9999")], "line 2: z of 8485-1901 is -9999.*Delete the row"),
        ([HEADER, ROW.replace("0.0407", "nan")], "line 2: z of 8485-1901 is nan.*Delete the row"),
        ([HEADER, ROW.replace("0.0407", "")], "line 2: z is '', not a number"),
        ([HEADER, ROW.replace("0.0407", "inf")], "line 2: z of 8485-1901 is inf"),
        ([HEADER, ROW.replace("232.54", "nan")], "line 2: ra, dec of 8485-1901 are nan.*must be degrees"),
        ([HEADER, ROW.replace("48.69", "-9999")], "line 2: ra, dec of 8485-1901 are 232.54, -9999"),
        ([HEADER + "\tr_e", ROW + "\tinf"], "line 2: r_e of 8485-1901 must be finite; write -9999"),
        ([HEADER, ROW.replace("8485-1901", "8485-1901x")], "malformed; it must be PLATE-IFUDESIGN"),
        ([HEADER, ROW.replace("8485-1901", "")], "line 2: plateifu '' is malformed"),
        ([HEADER, "# note", "", ROW, ROW], "line 5: 8485-1901 is there twice; delete one"),
        ([HEADER + "\tcolour", ROW + "\tred"], "line 1: Unknown column.s. 'colour'.*The columns"),
        ([HEADER, ROW.replace("0.017", "-1")], "line 2: ebv"),
        ([HEADER, ROW.replace("\t", " ")], "line 2: 1 fields, the header has 6"),
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
    with pytest.raises(SampleError, match=r"line 2: path of a1 is empty; survey.source files needs the column path"):
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
