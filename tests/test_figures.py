import altair as alt
import pandas as pd
import pytest

from snnbench.errors import ConfigError
from snnbench.figure_files import write_figure

STARTS = {".svg": b"<svg", ".png": b"\x89PNG", ".pdf": b"%PDF"}


@pytest.mark.parametrize("suffix", STARTS)
def test_the_suffix_says_the_format(suffix, tmp_path):
    chart = alt.Chart(pd.DataFrame({"depth": [2, 8], "score": [0.5, 0.75]})).mark_point().encode(x="depth", y="score")
    file = tmp_path / f"chart{suffix}"
    write_figure(chart, file)
    assert file.read_bytes().startswith(STARTS[suffix])


def test_another_suffix_is_refused(tmp_path):
    chart = alt.Chart(pd.DataFrame({"depth": [2]})).mark_point().encode(x="depth")
    with pytest.raises(ConfigError, match=r"must end in \.svg, \.png, \.pdf; found 'chart\.gif'"):
        write_figure(chart, tmp_path / "chart.gif")


def test_a_file_that_cannot_be_written_is_refused_with_what_to_do(tmp_path):
    chart = alt.Chart(pd.DataFrame({"depth": [2]})).mark_point().encode(x="depth")
    with pytest.raises(ConfigError, match=r"No such file or directory\. Name another, or make its folder\."):
        write_figure(chart, tmp_path / "nowhere" / "chart.svg")
