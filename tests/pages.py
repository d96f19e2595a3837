"""The blocks of code in the README and the documentation: what a page tells its reader to write, to run and to expect."""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "configs" / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
    )
}
"""Every page by its path in the repository."""
CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
"""The browser in which pages are looked at; None if there is none."""
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
)

_BLOCK = re.compile(r"^```(\S*)(?: +(\w+))?(?: +title=\"([^\"]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: ```` ```sh network ```` has a language and a mark, ```` ```python title="mine.py" ```` is a file."""

    page: str
    line: int
    language: str
    mark: str
    title: str
    body: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The lines of a shell's block, continued ones joined."""
        joined = self.body.replace("\\\n", " ")
        return [line.strip() for line in joined.splitlines() if shlex.split(line, comments=True)]


def read_blocks(page: str) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = PAGES[page].read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2] or "", match[3] or "", match[4])
        for match in _BLOCK.finditer(text)
    ]
