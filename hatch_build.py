"""What the metadata of a distribution say of its home: the README's links, which an index cannot follow as they are.

``SNNBENCH_HOME`` is the address of the repository that publishes, as the workflow ``publish`` sets it; it stands nowhere else.
Without it the words of the links stay, and the picture goes.
"""

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PICTURE, _LINK = re.compile(r"!\[([^\]]*)\]\((?!https?:)([^)]*)\)"), re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:)([^)]*)\)")


class HomeHook(MetadataHookInterface):
    """Fills the fields ``readme`` and ``urls``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set them."""
        home = os.environ.get("SNNBENCH_HOME", "").rstrip("/")
        tag = f"v{metadata['version']}"
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = _PICTURE.sub(rf"![\1]({home}/raw/{tag}/\2)" if home else "", text)
        text = _LINK.sub(rf"[\1]({home}/blob/{tag}/\2)" if home else r"\1", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        if home:
            places = {"Documentation": f"blob/{tag}/docs/index.md", "Changelog": f"blob/{tag}/CHANGELOG.md", "Issues": "issues"}
            metadata["urls"] = {"Repository": home} | {name: f"{home}/{place}" for name, place in places.items()}
