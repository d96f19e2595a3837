"""What the site does to a page before it is built: files from outside ``docs`` are included, marked blocks say their mark.

The line ``--8<-- "README.md"`` stands for that file of the repository, whose links become links of the site. A block that opens
with ```` ```sh network ```` is run by no test (``tests/test_documentation.py``); the site says why.
"""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TITLES = {
    "network": "needs the network",
    "minutes": "takes minutes",
    "hours": "takes hours",
    "data": "needs data that you have",
    "gpu": "needs a GPU",
    "cluster": "needs a cluster",
    "setup": "",
    "output": "",
}
"""Why a block is not run, by its mark; no title where the block says it itself."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return the text of a page as the site builds it."""
    text = re.sub(r'^--8<-- "(.+)"$', lambda line: _include(line[1], markdown.startswith("# ")), markdown, flags=re.MULTILINE)
    return re.sub(r"^(```\w+) (\w+)$", lambda line: line[1] + _title(line[2]), text, flags=re.MULTILINE)


def _include(name: str, as_part: bool) -> str:
    text = (ROOT / name).read_text(encoding="utf-8")
    if as_part:  # a page has one title
        text = re.sub("^# ", "## ", text)
    text = re.sub(r'((?:src|srcset)=")docs/', r"\1", text)
    return re.sub(r"\[([^\]]+)\]\(((?!https?:|#)[^)]+)\)", _link, text)


def _link(link: re.Match[str]) -> str:
    """Return a link of the site for one of the repository; what is not part of the site is named without a link."""
    words, target = link[1], link[2].removeprefix("../").removeprefix("docs/")
    target = {"CONTRIBUTING.md": "contributing.md", "configs/README.md": "protocol.md"}.get(target, target)
    return f"[{words}]({target})" if (ROOT / "docs" / target.partition("#")[0]).is_file() else words


def _title(mark: str) -> str:
    return f' title="{TITLES[mark]}"' if TITLES[mark] else ""
