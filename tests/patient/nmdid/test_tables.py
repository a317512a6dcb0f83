"""Tables about decedents: headers and numbers as they vary, broken ones in one line, round trips to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carm_env.errors import CarmError
from carm_env.patient.model import LANDMARKS, Demographics, Volume
from carm_env.patient.nmdid import csvfile
from carm_env.patient.nmdid.tables import SeedRow, from_lps, read_demographics, read_seed_csv, to_lps, write_seed_csv

WHO = Demographics("M", 66.0, 174.0, 73.0)
SEED_HEADER = ",case_number,filename,x,y,z,part,age_years,sex_code,cadaver_weight,cadaver_length,mode"
SEED_LINE = "0,case-10065,root/case_10065/5.png,232.5,34.5,208.2,upper,66,Male,73.0,174.0,train"


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "text",
    [
        "case_number,age_years,sex_code,cadaver_weight,cadaver_length\ncase-10065,66,Male,73.0,174.0\n",
        "Case Number;Age;Sex;Weight (kg);Height (cm)\n010065;66;M;73,0;174,0\n",
        "ID\tage at death\tgender\tweight_lbs\theight_in\n10065.0\t66\tm\t160.937451\t68.50393701\n",
        'case,"age (years)",SEX,"weight","living stature"\n"case_10065","66.0","male","73","174"\n',
        "\n\ncase_number,race,age,sex,cadaver_weight,living_weight,cadaver_length,living_stature,x\r\n"
        "case-10065,,66,MALE,73,90,174,180,\r\n\r\n",
        "caseid,age,sex,weight,height_m\n10065,66,M,73,1.74\n",
        "case,age,sex,weight,height_mm\n10065,66,,,1740\ncase-10065,,M,73,\n10065,66,M,73,1740\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_as_they_vary(tmp_path, text, encoding) -> None:
    (who,) = read_demographics(written(tmp_path, text, encoding)).items()
    assert who[0] == "10065"
    assert who[1].sex == "M"
    assert (who[1].age_years, who[1].height_cm, who[1].weight_kg) == pytest.approx((66.0, 174.0, 73.0), abs=1e-6)


def test_blank_cells_and_missing_columns_are_unknown(tmp_path) -> None:
    text = "case,age,sex\n10065,,unknown\n10066,n/a,F\n10067"
    assert read_demographics(written(tmp_path, text)) == {
        "10065": Demographics(),
        "10066": Demographics("F"),
        "10067": Demographics(),
    }


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "no header"),
        ("\n\n", "no header"),
        ("age,sex\n66,M\n", "no column names the case"),
        ("case,age,age\n10065,66,66\n", "appears twice"),
        ("case,age\n10065,660\n", "line 2, column 'age' is '660'"),
        ("case,age\n10064,5\n\n10065,sixty\n", "line 4, column 'age' is 'sixty'"),
        ("case,age\n10065,nan1\n", "column 'age'"),
        ("case,age\n10065,1_0\n", "column 'age'"),
        ("case,age\n10065,1e999\n", "column 'age'"),
        ("case,weight\n10065,-3\n", "column 'weight'"),
        ("case,cadaver_weight\n10065,7300\n", "want a number from 1 to 650"),
        ("case,sex\n10065,X\n", "column 'sex' is 'X'"),
        ("case,height\n10065,68\n10066,70\n", "hardly cm"),
        ("case,cadaver_length\n10065,1.74\n", "column 'cadaver_length'"),
        ("case,age\nnobody,66\n", "column 'case' is 'nobody'"),
        ("case,age\n,66\n", "column 'case' is ''"),
        ("case,age\n10065,66\ncase-010065,67\n", "case 10065 has age_years 67.0, before it had 66.0"),
        ("case,age\n10065,66,M\n", "line 2 has 3 cells"),
        ('case,age\n10065,"66\n', "line 2 is broken"),
        ('case,age\n"100"65,66\n', "is broken"),
        ("case,age\n10065,\0\n", "zero bytes"),
        ("case,age\n" + "1" * 200000 + ",5\n", "is broken"),
        ("a," * 3000 + "case\n", "columns"),
    ],
)
def test_broken_tables_get_one_line(tmp_path, text, where) -> None:
    with pytest.raises(CarmError) as caught:
        read_demographics(written(tmp_path, text))
    message = str(caught.value)
    assert where in message
    assert "want" in message
    assert "\n" not in message
    assert "table.csv" in message


def test_files_that_cannot_be_read_get_one_line(tmp_path, monkeypatch) -> None:
    for path in (tmp_path / "none.csv", tmp_path, "a\0b"):
        with pytest.raises(CarmError, match="cannot be read"):
            read_demographics(path)
    monkeypatch.setattr(csvfile, "MAX_BYTES", 10)
    with pytest.raises(CarmError, match="larger than"):
        read_demographics(written(tmp_path, "case,age\n10065,66\n"))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_one_line(tmp_path_factory, data) -> None:
    path = tmp_path_factory.mktemp("any") / "t.csv"
    for prefix in (b"", b"case,age,sex,weight,height\n10065,6", SEED_HEADER.encode() + b"\n" + SEED_LINE.encode()):
        path.write_bytes(prefix + data)
        for read in (read_demographics, read_seed_csv):
            message = "want"
            try:
                read(path)
            except CarmError as error:
                message = str(error)
            assert "want" in message and len(message.splitlines()) == 1


def test_the_seeds_table_for_regression(tmp_path) -> None:
    (row,) = read_seed_csv(written(tmp_path, f"{SEED_HEADER}\n{SEED_LINE}\n"))
    assert row == SeedRow("case-10065", "root/case_10065/5.png", 232.5, 34.5, 208.2, "upper", "train", WHO, None, 0)
    assert row.case == "10065"


def test_landmarks_count_from_one_on_file(tmp_path) -> None:
    lines = [SEED_LINE + f",{n}" for n in (1, 20)]
    rows = read_seed_csv(written(tmp_path, f"{SEED_HEADER},landmark\n" + "\n".join(lines)))
    assert [row.landmark for row in rows] == [LANDMARKS[0], LANDMARKS[19]] == ["skull", "left_femoral_head"]
    path = tmp_path / "again.csv"
    write_seed_csv(path, rows)
    assert [line.split(",")[-1] for line in path.read_text().splitlines()] == ["landmark", "1", "20"]


def test_columns_counted_from_the_edges_come_before_those_from_the_centre(tmp_path) -> None:
    text = f"{SEED_HEADER},x_modified,y_modified,z_modified\n{SEED_LINE},500.5,250,200\n"
    (row,) = read_seed_csv(written(tmp_path, text))
    assert (row.x, row.y, row.z) == (500.5, 250.0, 200.0)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (("case-10065", "john"), "column 'case_number' is 'john'"),
        (("232.5", ""), "column 'x'"),
        (("34.5", "inf"), "column 'y'"),
        (("208.2", "1e9"), "column 'z'"),
        (("upper", "middle"), "want upper or lower"),
        (("train", "validation"), "want train or test"),
        (("66", "-1"), "column 'age_years'"),
        (("Male", "male?"), "column 'sex_code'"),
        (("cadaver_length", "length"), "no column 'cadaver_length'"),
        (("filename", "file"), "no column 'filename'"),
        ((",train", ",train,extra"), "12 of the header"),
    ],
)
def test_broken_seed_tables_get_one_line(tmp_path, change, where) -> None:
    with pytest.raises(CarmError) as caught:
        read_seed_csv(written(tmp_path, f"{SEED_HEADER}\n{SEED_LINE}\n".replace(*change)))
    assert where in str(caught.value)
    assert "want" in str(caught.value) or "header" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mark", ["0", "21", "1.5", "skull", ""])
def test_landmarks_out_of_range_get_one_line(tmp_path, mark) -> None:
    with pytest.raises(CarmError, match="column 'landmark'"):
        read_seed_csv(written(tmp_path, f"{SEED_HEADER},landmark\n{SEED_LINE},{mark}\n"))


MM = st.floats(-99999, 99999, allow_nan=False)
ROWS = st.builds(
    SeedRow,
    case_number=st.sampled_from(["case-10065", "case-010065", "100114"]),
    filename=st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=20),
    x=MM, y=MM, z=MM,
    part=st.sampled_from(["upper", "lower"]),
    mode=st.sampled_from(["train", "test"]),
    demographics=st.builds(
        Demographics,
        st.sampled_from(["F", "M", None]),
        st.none() | st.floats(0, 130),
        st.none() | st.floats(30, 280),
        st.none() | st.floats(1, 650),
    ),
    index=st.integers(0, 10**9),
)  # fmt: skip


@given(rows=st.lists(ROWS, min_size=1, max_size=5))
def test_rows_come_back_to_the_bit(tmp_path_factory, rows) -> None:
    path = tmp_path_factory.mktemp("rows") / "t.csv"
    write_seed_csv(path, rows)
    assert read_seed_csv(path) == rows


def test_writing_is_whole_or_not_at_all(tmp_path) -> None:
    row = SeedRow("case-10065", "a.png", 1.0, 2.0, 3.0, "upper", "test")
    path = tmp_path / "t.csv"
    write_seed_csv(path, [row])
    marked = SeedRow("case-10065", "a.png", 1.0, 2.0, 3.0, "upper", "test", landmark="skull")
    for rows in ([row, marked], [SeedRow("case-10065", "a", 1.0, 2.0, 3.0, "upper", "test", landmark="nose")]):
        with pytest.raises(CarmError, match="want"):
            write_seed_csv(path, rows)
    assert len(read_seed_csv(path)) == 1
    with pytest.raises(CarmError, match="cannot be written"):
        write_seed_csv(tmp_path / "none" / "t.csv", [row])
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def box(shape, spacing, origin) -> Volume:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return Volume(np.zeros(shape, np.int16), affine)


def test_positions_count_from_the_edges_of_the_ct() -> None:
    volume = box((10, 20, 30), (2.0, 1.0, 3.0), (5.0, -7.0, 100.0))
    at_edge = SeedRow("case-10065", "a", 0.0, 0.0, 10.0, "upper", "test")
    np.testing.assert_allclose(to_lps(at_edge, volume), [5 + 18 + 1, -7 - 0.5 + 10, 100 + 87 + 1.5])
    np.testing.assert_allclose(from_lps([5.0 - 1, -7.5, 98.5], volume), [90.0, 20.0, 0.0])


@given(
    position=st.tuples(MM, MM, MM),
    spacing=st.tuples(*[st.floats(0.3, 5.0)] * 3),
    origin=st.tuples(*[st.floats(-1000, 1000)] * 3),
)
def test_positions_come_back(position, spacing, origin) -> None:
    volume = box((5, 6, 7), spacing, origin)
    row = SeedRow("case-10065", "a", *position, "lower", "train")
    np.testing.assert_allclose(from_lps(to_lps(row, volume), volume), position, atol=1e-6)
    point = np.asarray(position)
    x, y, z = from_lps(point, volume)
    np.testing.assert_allclose(to_lps(SeedRow("case-10065", "a", x, y, z, "lower", "train"), volume), point, atol=1e-6)
