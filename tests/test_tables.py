"""Tables are read as what they say, or refused with what to do."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snnbench.errors import DataError, SnnbenchError
from snnbench.suites.columns import ColumnChoices, read_classes, read_column
from snnbench.suites.description import TaskDescription
from snnbench.suites.freezing import freeze_task, read_columns
from snnbench.suites.tables import read_table

ROWS = "".join(f"{k % 7 + 0.5},{'xyz'[k % 3]},{'ab'[k % 2]}\n" for k in range(60))


def write(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    content = content.encode() if isinstance(content, str) else content
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return file


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "n,c,b,d\n1.5,x,true,\n2,?,False,7\nNA,z,NaN,-1e3\n"),
        ("t.csv", b"\xef\xbb\xbfn;c;b;d\r\n1.5;x;true;\r\n2;?;False;7\r\nNA;z;NaN;-1e3\r\n"),
        ("t.csv.gz", "n|c|b|d\n1.5|x|true|\n2|?|False|7\nNA|z|NaN|-1e3\n"),
        ("t.csv", "\r\rn,c,b,d\r1.5,x,true,\r2,?,False,7\rNA,z,NaN,-1e3\r"),
        ("t.tsv", "n\tc\tb\td\n1.5\tx\ttrue\t\n2\t?\tFalse\t7\nNA\tz\tNaN\t-1e3\n"),
    ],
)
def test_text_tables_have_types_of_their_values(name, content, tmp_path):
    table = read_table(write(tmp_path, name, content))
    assert table.to_pydict() == {
        "n": [1.5, 2.0, None],
        "c": ["x", None, "z"],
        "b": [True, False, None],
        "d": [None, 7.0, -1000.0],
    }


def test_other_character_sets_are_named(tmp_path):
    file = write(tmp_path, "t.csv", "n,ort\n1,Köln\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"must be text in utf-8, found the byte 0xf6 in line 2\. .*--encoding latin-1"):
        read_table(file)
    assert read_table(file, charset="latin-1").column("ort").to_pylist() == ["Köln"]
    with pytest.raises(DataError, match="--encoding must name a character set, found 'klingon'"):
        read_table(file, charset="klingon")


def test_arff_has_quoted_names_levels_with_commas_and_gaps(tmp_path):
    text = "@relation r\n@attribute 'a b' {'x, y', z, unused}\n@attribute n REAL\n@attribute s string\n"
    text += "@data\n'x, y',1,?\n?,2,'q r'\n"
    table = read_table(write(tmp_path, "t.arff", text))
    assert table.to_pydict() == {"a b": ["x, y", None], "n": [1.0, 2.0], "s": [None, "q r"]}
    assert table.column("a b").combine_chunks().dictionary.to_pylist() == ["x, y", "z", "unused"]


def test_sparse_arff_has_zeros_and_first_levels_where_it_says_nothing(tmp_path):
    text = "@relation r\n@attribute a {x, y}\n@attribute n numeric\n@data\n{1 3}\n{0 y}\n"
    assert read_table(write(tmp_path, "t.arff", text)).to_pydict() == {"a": ["x", "y"], "n": [3.0, 0.0]}


def test_parquet_keeps_its_types(tmp_path):
    table = pa.table({"n": [1, None], "c": pa.array(["x", "y"]).dictionary_encode(), "w": ["u", "v"]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").to_pydict() == table.to_pydict()


BAD = {
    "an empty file": ("t.csv", "", "found an empty file"),
    "a byte order mark alone": ("t.csv", b"\xef\xbb\xbf\n", "found an empty file"),
    "a header alone": ("t.csv", "n,c,y\n", "must have rows below its header, found none"),
    "a header alone, its line not ended": ("t.csv", "n,c,y", "must have rows below its header, found none"),
    "a quote in a long header": ("t.csv", 'n,"y' + "x" * 200_000 + "\n1,a\n", "must close every quote"),
    "a header of ARFF alone": (
        "t.arff",
        "@relation r\n@attribute a {x}\n@data\n",
        "must have rows below its header, found none",
    ),
    "a quote that is not closed": ("t.csv", 'n,y\n1,a\n2,"b\n3,c\n', "that is not closed in line 3 or after it"),
    "two quotes that are not closed": ("t.csv", 'n,y\n1,a\n2,"b\n3,c\n4,"d\n5,e\n', "that is not closed in line 3 or after it"),
    "UTF-16": (
        "t.csv",
        "n,y\n1,a\n".encode("utf-16"),
        "found the byte 0xff in line 1. Name its character set: --encoding utf-16.",
    ),
    "UTF-16 without a mark": ("t.csv", "n,y\n1,a\n".encode("utf-16-le"), "a file in UTF-16 needs --encoding utf-16"),
    "a row too short": ("t.csv", "n,y\n1,a\n2\n", "must have 2 cells in every row, as its header has, found 1 in line 3"),
    "a row too short below blank lines": ("t.csv", "\n\nn,y\n1,a\n2\n", "found 1 in line 5"),
    "a row too long": ("t.csv", "n,y\n1,a\n2,b,c\n", "must have 2 cells in every row, as its header has, found 3 in line 3"),
    "a name twice": ("t.csv", "n,n,y\n1,2,a\n", "found 'n' twice"),
    "no name": ("t.csv", "n,,y\n1,2,a\n", "found no name for column 2"),
    "a NUL byte": ("t.csv", "n,y\n1,a\n2,\0\n", "found a NUL byte in line 3"),
    "another ending": ("t.xlsx", "x", "its name must end in .csv, .tsv, .arff, .parquet"),
    "an unknown type": (
        "t.arff",
        "@relation r\n@attribute a date 'yyyy'\n@data\n1\n",
        "2: \"@attribute a date 'yyyy'\". Attributes may be numeric, real, integer, string, {of, levels}; take others out.",
    ),
    "an undeclared level": ("t.arff", "@relation r\n@attribute a {x}\n@data\ny\n", "nominal declaration, at line 4: 'y'."),
    "no ARFF": ("t.arff", "\r\n\nhello", "at line 3: 'hello'."),
    "no Parquet": ("t.parquet", "PAR1 this is none", "must be a readable PARQUET file"),
    "a damaged gzip": ("t.csv", None, "must be a readable CSV file"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_table_that_is_none_is_refused(case, tmp_path):
    name, content, words = BAD[case]
    file = write(tmp_path, name, content or "")
    if content is None:
        file = file.rename(tmp_path / "t.csv.gz")
        file.write_bytes(gzip.compress(ROWS.encode())[:-9])
    with pytest.raises(DataError) as found:
        read_table(file)
    assert words in str(found.value)


def test_cells_may_have_quotes_and_lines_of_their_own(tmp_path):
    text = 'n,y\n1,"a\nb"\n\n2,"say ""c"""\n3,5" pipe\n'
    assert read_table(write(tmp_path, "t.csv", text)).column("y").to_pylist() == ["a\nb", 'say "c"', '5" pipe']
    long = "x\n" * 100_000  # longer than Python's csv takes by itself
    assert read_table(write(tmp_path, "t.csv", f'n,y\n1,"{long}"\n')).column("y").to_pylist() == [long]


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.struct({"a": pa.int64()}), pa.map_(pa.string(), pa.int64())])
def test_nested_columns_are_refused(kind, tmp_path):
    pq.write_table(pa.table({"n": pa.nulls(2, kind), "y": ["a", "b"]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"found a nested one, 'n' \("):
        read_table(tmp_path / "t.parquet")


def test_a_parquet_file_with_a_name_twice_or_without_rows_is_refused(tmp_path):
    file = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["n", "n"]), file)
    with pytest.raises(DataError, match="must have columns of different names, found 'n' twice"):
        read_table(file)
    pq.write_table(pa.table({"n": pa.array([], pa.int64())}), file)
    with pytest.raises(DataError, match="must have rows below its header, found none"):
        read_table(file)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.binary(), [b"x", b"y"]),
        (pa.time32("s"), [1, 2]),
        (pa.duration("s"), [1, 2]),
    ],
)
def test_other_types_are_refused_with_the_choice(kind, values):
    with pytest.raises(DataError, match=r"must hold numbers, words or dates, found .* --drop c\."):
        column(pa.array(values, kind))


@pytest.mark.parametrize("kind", [pa.float32(), pa.uint64(), pa.decimal128(21, 2), pa.large_string(), pa.bool_()])
def test_all_types_of_numbers_and_words_are_read(kind):
    values = pa.array([True, None, False] if kind == pa.bool_() else [1, None, 2])
    [found] = column(values.cast(pa.string()).cast(kind) if "string" in str(kind) else values.cast(kind))
    assert found.column.has_gaps
    assert np.isnan(found.values).tolist() == [False, True, False]
    assert found.values[0] != found.values[2]


def column(values: list | pa.Array, choices: ColumnChoices = ColumnChoices()):  # noqa: B008
    array = values if isinstance(values, pa.Array) else pa.array(values)
    return list(read_column("c", pa.chunked_array([array]), choices))


def test_numbers_words_and_booleans():
    [numbers] = column([3, 1, None, 3])
    assert (numbers.column.levels, numbers.column.has_gaps) == ((), True)
    np.testing.assert_array_equal(numbers.values, [3, 1, np.nan, 3])
    [words] = column(["y", "x", "?", "x", "NA", ""])
    assert (words.column.levels, words.column.has_gaps) == (("x", "y"), True)
    np.testing.assert_array_equal(words.values, [1, 0, np.nan, 0, np.nan, np.nan])
    [flags] = column([True, False, True])
    assert flags.column.levels == ("false", "true")
    assert flags.values.tolist() == [1, 0, 1]
    [named] = column([10, 2, 10, 2], ColumnChoices(categorical=("c",)))
    assert named.column.levels == ("10", "2")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0, 2, 1, 3], "c is left out: it counts the rows. Use it with --keep c."),
        ([4, 2, 1, 3], "c is left out: it counts the rows. Use it with --keep c."),
        (["u", "v", "w"], "c is left out: it is different in every row. Use it with --keep c."),
        ([None, None], "c is left out: it has no value."),
        (["?", ""], "c is left out: it has no value."),
    ],
)
def test_what_names_rows_is_left_out_and_said(values, words):
    table = pa.table({"c": values, "x": [0.5] * len(values)})
    assert read_columns(table, (), ColumnChoices(), "t")[1] == [words]
    both = table.append_column("d", table.column("c"))
    (said,) = read_columns(both, (), ColumnChoices(), "t")[1]
    assert said.startswith("c and d are left out: they ")
    if "keep" in words:
        [kept] = column(values, ColumnChoices(keep=("c",)))
        assert len(kept.values) == len(values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["2020-01-31", "2020-02-01", None], "holds dates: choose the parts .* --date year,month"),
        (["31.1.2020", "1.2.2020", "1.2.2020"], "holds dates"),
        (np.array(["2020-01-31", "2020-02-01"], dtype="datetime64[s]").tolist(), "holds dates"),
        (["1,5", "2,5", "1,5"], "a decimal comma"),
        (["1", "2", "3", "n/a", "2"], "found both: numbers, and 'n/a'"),
        ([f"a text of some length, number {k}" for k in range(5)], "found free text"),
        ([1.0, np.inf], "at most 1e.100, found inf in row 2"),
        ([1.0, 1e300], "at most 1e.100, found 1e.300 in row 2"),
        ([1, -(10**17)], "below 2.53, since larger ones lose digits; found -100000000000000000 in row 2.* --categorical c"),
        (["2020-01-31", "2020-02-01", "unknown", "2020-02-03"], "found both: dates, and 'unknown'.* --categorical c"),
        (["1,5", "2,5", "oops", "3,5"], "found both: decimal commas, and 'oops'"),
    ],
)
def test_what_needs_a_choice_is_refused_with_the_choices(values, words):
    with pytest.raises(DataError, match=words) as found:
        column(values)
    assert "--" in str(found.value) or "decimal" in str(found.value)


def test_dates_become_the_parts_that_are_asked_for():
    parts = column(["2020-02-29", None, "2021-12-31"], ColumnChoices(date=("year", "month", "day", "weekday")))
    assert [part.column.name for part in parts] == ["c_year", "c_month", "c_day", "c_weekday"]
    np.testing.assert_array_equal(
        [part.values for part in parts], [[2020, np.nan, 2021], [2, np.nan, 12], [29, np.nan, 31], [5, np.nan, 4]]
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1.2.2020", "13.4.2020", None], [[2, 1, 0], [4, 13, 0]]),
        (["1.2.20", "3.4.2020"[:6]], [[2, 1, 0], [4, 3, 0]]),
        (["1/13/2020", "2/1/2020"], [[1, 13, 0], [2, 1, 0]]),
        (["13/1/2020", "2/1/2020"], [[1, 13, 0], [1, 2, 0]]),
        (["1/13/2020 1:05 PM", "2/1/2020 12:30 AM"], [[1, 13, 13], [2, 1, 0]]),
        (["1.2.2020 23:30:01", "3.2.2020 05:00:00"], [[2, 1, 23], [2, 3, 5]]),
        (["2020-1-5", "2020-02-01T07:00:00"], [[1, 5, 0], [2, 1, 7]]),
        (["2020/1/5", "2020/02/01 07:00"], [[1, 5, 0], [2, 1, 7]]),
    ],
)
def test_days_and_months_are_told_apart(values, expected):
    parts = column(values, ColumnChoices(date=("month", "day", "hour")))
    assert np.array([part.values for part in parts]).T[: len(expected)].tolist() == expected


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["1/2/2020", "3/4/2020"], "tell the day from the month, found '1/2/2020' and no number above 12"),
        (["13/1/2020", "1/13/2020"], "of one form that can be read, found '1/13/2020' beside '13/1/2020'"),
        (["31.2.2020", "31.2.2020"], "that can be read, found '31.2.2020'. Write"),
        (["2020-13-45", "2020-01-01"], "that can be read, found '2020-13-45' beside '2020-01-01'"),
        (["1.2.2020", "2020-02-01"], "of one form that can be read, found '2020-02-01'"),
    ],
)
def test_dates_that_can_be_read_in_two_ways_or_none_are_refused(values, words):
    with pytest.raises(DataError, match=words):
        column(values, ColumnChoices(date=("day",)))


def classes(values: list, is_categorical: bool = False):
    y, names = read_classes("y", pa.chunked_array([pa.array(values)]), is_categorical)
    return y.tolist(), names


def test_targets_are_words_or_few_whole_numbers():
    assert classes(["b", "a", "?", "b"]) == ([1, 0, -1, 1], ("a", "b"))
    assert classes([10, 2, None, 10]) == ([1, 0, -1, 1], ("2", "10"))
    assert classes([1.0, 0.0, np.nan, 1.0]) == ([1, 0, -1, 1], ("0", "1"))
    assert classes([True, False, True]) == ([1, 0, 1], ("false", "true"))
    assert classes([0.5, 1.5, 0.5], is_categorical=True) == ([0, 1, 0], ("0.5", "1.5"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.5, 2.5, 1.5], "Regression is not offered"),
        ([*range(21), 0], "'y' has 21 different numbers, 0 to 20"),
        (["a", "a"], "at least two classes, 'y' has 'a' in every row"),
        (["?", "?"], "at least two classes, 'y' has no value"),
        ([None, None], "at least two classes, 'y' has no value"),
        ([10**17, 10**17 + 1], "below 2.53, since larger ones lose digits.* --categorical y"),
        (["a", "b", "c"], "'y' is different in all 3 rows"),
        (np.array(["2020", "2021"], dtype="datetime64[s]").tolist(), "must hold words or whole numbers"),
    ],
)
def test_other_targets_are_refused(values, words):
    with pytest.raises(DataError, match=words):
        classes(values)


def freeze(folder: Path, content: str, **described: object):
    write(folder, "t.csv", content)
    return freeze_task("own", "t", TaskDescription.model_validate({"file": "t.csv", **described}), folder)


@pytest.mark.parametrize(
    ("content", "described", "words"),
    [
        ("n,c,y\n" + ROWS, {}, "must be named .* or be called target or class, found none of them"),
        ("n,c,y\n" + ROWS, {"target": "z"}, "Unknown column of t.csv 'z'"),
        ("n,c,y\n" + ROWS, {"target": "y", "drop": ["n", "c"]}, "must have a column that models can see"),
        ("n,c,y\n" + ROWS + "1,x,rare\n", {"target": "y"}, "'rare' has 1"),
        ("n,c,y\n" + ROWS, {"target": "c", "metric": "auc"}, "The metric auc is for two classes, found 3"),
        ("n,c,y\n" + ROWS, {"target": "y", "metric": "aucc"}, "Unknown metric 'aucc'. Did you mean 'auc'"),
        ("n,c,y\n" + ROWS, {"target": "y", "group": "c"}, "more groups than folds .*, found 3 groups for 10 folds"),
        ("n,c,y\n" + ROWS, {"target": "y", "splits": {"column": "c"}}, "must say train, valid or test in every row, found 'x'"),
        ("n,c,y\n" + ROWS, {"target": "y", "splits": {"test": "no.csv"}}, "There must be a table no.csv"),
        ("n,c,y\n1,x,a\n2,y,b\n1,x,a\n2,y,b\n", {"target": "y"}, "found 4 rows for 10 folds"),
        ("n,c,y\n" + ROWS, {"target": "y", "drop": ["y"]}, "must be nothing else, found 'y' as its drop, too"),
        ("n,c,y\n" + ROWS, {"target": "y", "group": "y"}, "must be nothing else, found 'y' as its group, too"),
        ("n,c,y\n" + ROWS + "1,,a\n", {"target": "y", "group": "c"}, "'c' must have a value in every row, found none in 1"),
        ("n,c,y\n" + ROWS + "1,,a\n", {"target": "y", "splits": {"column": "c"}}, "must say train, valid or test"),
        (
            "n,c,y\n" + ROWS.replace("y,", "x,").replace("z,", "x,"),
            {"target": "y", "time": "c"},
            "at least three different times",
        ),
    ],
)
def test_what_cannot_be_divided_or_scored_is_refused(content, described, words, tmp_path):
    with pytest.raises(SnnbenchError, match=words):
        freeze(tmp_path, content, **described)


def test_fifty_thousand_levels_and_ten_thousand_columns_are_handled(tmp_path):
    rows = "".join(f"v{k % 50_000},{'ab'[k % 2]}\n" for k in range(50_010))
    many = freeze(tmp_path, "c,target\n" + rows)
    assert "c has 50,000 levels: the rarest share a column, beyond 50." in many.notes
    assert many.described("own").n_features == 50
    wide = (
        ",".join(f"c{k}" for k in range(10_000)) + ",target\n" + "".join("1," * 10_000 + f"{'ab'[k % 2]}\n" for k in range(20))
    )
    assert freeze(tmp_path, wide).described("own").n_features == 10_000


def test_rows_without_a_target_are_left_out_and_counted(tmp_path):
    task = freeze(tmp_path, "n,c,target\n" + ROWS + "1,x,?\n2,y,\n")
    assert task.notes == ("2 of 62 rows have no target and are left out.",)
    assert task.X.shape == (60, 2)


def test_groups_stay_whole_and_time_goes_forward(tmp_path):
    text = "n,g,t,target\n" + "".join(f"{k % 11 + 0.5},g{k // 4},{k // 3},{'ab'[k * 7 % 5 % 2]}\n" for k in range(120))
    grouped = freeze(tmp_path, text, group="g", splits={"folds": 5, "repeats": 2})
    assert [split.name for split in grouped.splits][4:6] == ["repeat-1-fold-5", "repeat-2-fold-1"]
    group = np.arange(120) // 4
    for split in grouped.splits:
        parts = [set(group[rows]) for rows in (split.train, split.valid, split.test)]
        assert all(parts)
        assert len(set.union(*parts)) == sum(map(len, parts))
    assert sorted(np.concatenate([split.test for split in grouped.splits[:5]])) == list(range(120))
    [later] = freeze(tmp_path, text, time="t").splits
    time = np.arange(120) // 3
    assert time[later.train].max() < time[later.valid].min() <= time[later.valid].max() < time[later.test].min()
    assert len(later.test) == 30


def test_time_is_that_of_dates_and_not_of_their_letters(tmp_path):
    days = [f"{1 + k % 28}.{1 + k // 28}.2020" for k in range(100)]
    text = "n,t,target\n" + "".join(f"{k % 11 + 0.5},{days[k]},{'ab'[k * 7 % 5 % 2]}\n" for k in range(100))
    [split] = freeze(tmp_path, text, time="t").splits
    assert split.test.tolist() == list(range(75, 100))
    levels = pa.array(days).dictionary_encode()
    table = pa.table({"n": np.arange(100) % 11 + 0.5, "t": levels, "target": ["ab"[k * 7 % 5 % 2] for k in range(100)]})
    pq.write_table(table, tmp_path / "t.parquet")
    described = TaskDescription(file="t.parquet", target="target", time="t")
    assert freeze_task("s", "t", described, tmp_path).splits[0].test.tolist() == split.test.tolist()
    words = freeze(tmp_path, text.replace(".2020", ". of 2020"), time="t")
    assert words.notes == ("t holds words: their order in time is that of the alphabet.",)


def test_a_group_that_is_too_large_for_the_folds_is_refused_or_named(tmp_path):
    text = "n,g,set,target\n" + "".join(
        f"{k % 11 + 0.5},{'most' if k < 56 else f'g{k}'},{'train' if k < 45 else 'test'},{'ab'[k % 2]}\n" for k in range(60)
    )
    with pytest.raises(DataError, match="found 5 groups for 10 folds"):
        freeze(tmp_path, text, group="g")
    for split in freeze(tmp_path, text, group="g", splits={"folds": 3}, drop=["set"]).splits:
        assert min(len(split.train), len(split.valid), len(split.test)) > 0
    with pytest.raises(DataError, match="Two groups at least must be left to train and to validate, found one"):
        freeze(tmp_path, text.replace("g5", "h").replace("h6", "x").replace("h7", "x"), group="g", splits={"column": "set"})


def test_official_parts_are_taken_as_they_are(tmp_path):
    text = "n,set,target\n" + "".join(f"{k % 9 + 0.5},{['train', 'Test', 'valid'][k % 3]},{'ab'[k % 2]}\n" for k in range(60))
    [split] = freeze(tmp_path, text, splits={"column": "set"}).splits
    assert [split.train[0], split.valid[0], split.test[0]] == [0, 2, 1]
    write(tmp_path, "test.csv", "n,c,target\n7,x,a\n8,y,b\n9,x,\n")
    task = freeze(tmp_path, "n,c,target\n" + ROWS, splits={"test": "test.csv"})
    [split] = task.splits
    assert split.test.tolist() == [60, 61]
    assert task.X[split.test, 0].tolist() == [7, 8]


def test_findings_are_of_the_table(tmp_path):
    text = "k,copy,g,set,target\n" + "".join(
        f"{1000 + 7 * k},{'uv'[k % 2]},g{k // 10},{'train' if k < 45 else 'test'},{'ab'[k % 2]}\n" for k in range(60)
    )
    task = freeze(tmp_path, text, group="g", splits={"column": "set"})
    assert dict(task.findings) == {
        "identifier-column": "k is different in every row",
        "column-equals-target": "copy tells the class of every row",
        "group-in-train-and-test": "1 of g in hold-out",
        "tiny-test-set": "15 test rows: the 95 % interval of an accuracy of 0.5 is 45 points wide",
    }


def test_findings_are_of_gaps_levels_and_time(tmp_path):
    text = "n,c,t,set,target\n" + "".join(
        f"{'' if k % 6 == 0 else k % 11 + 0.5},{'new' if k == 59 else 'uv'[k * 5 % 7 % 2]},{k * 7 % 60},"
        f"{'train' if k < 45 else 'test'},{'ab'[k % 2]}\n"
        for k in range(60)
    )
    task = freeze(tmp_path, text, time="t", splits={"column": "set"})
    found = dict(task.findings)
    assert found["missing-values"] == "in 1 of 2 columns, most in n: 10 (16.7%)"
    assert found["level-not-in-train"] == "in 1 columns: c"
    assert found["times-overlap"] == "hold-out: test rows are not all later in t than the others"


def test_unbalanced_classes_are_warned_of(tmp_path):
    text = "n,target\n" + "".join(f"{k % 7}.5,{'b' if k % 20 == 0 else 'a'}\n" for k in range(200))
    assert freeze(tmp_path, text).notes == ("The classes are unbalanced: 95.0% of the rows are a.",)


def test_what_is_named_for_the_shell_is_quoted(tmp_path):
    text = "my id,target\n" + "".join(f"{k},{'ab'[k % 2]}\n" for k in range(60))
    with pytest.raises(DataError, match=r"my id is left out: it counts the rows\. Use it with --keep 'my id'\."):
        freeze(tmp_path, text)
