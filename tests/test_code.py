"""What a key says of the code behind a model: the user's own files that it needs, and versions of what is installed."""

import sys
from importlib.metadata import version

import pytest

from snnbench.config import ModelSettings
from snnbench.models import NETWORKS, code
from snnbench.models.code import code_of
from snnbench.records import Code

FILES = {
    "mine.py": "from parts import shape\nimport aside\n\nclass Net:\n    pass\n",
    "parts/__init__.py": "from . import deep\n",
    "parts/shape.py": "from .deep.gain import GAIN\n\ndef late():\n    import lazily\n",
    "parts/deep/__init__.py": "",
    "parts/deep/gain.py": "import numpy\nGAIN = 2\n",
    "aside.py": "import importlib\nimportlib.import_module('named')\nimport mine\nif not mine:\n    import absent\n",
    "named.py": "",
    "lazily.py": "from snnbench.models.layers.stacked import StackedLinear\n",
    "unrelated.py": "",
}
"""A user's folder, whose class needs all of it but the last."""


_SCIPY_AND_TORCH = f"scipy {version('scipy')}, torch {version('torch').partition('+')[0]}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(FILES[name])
        monkeypatch.delitem(sys.modules, name.partition(".")[0].partition("/")[0], raising=False)
    return tmp_path


def of(**model) -> Code:
    """Return the code as another process would, which reads all files anew."""
    code._trace.cache_clear()
    code._distributions.cache_clear()
    return code_of("m", ModelSettings(grid={}, **model))


@pytest.mark.parametrize("file", FILES)
def test_a_change_of_any_module_that_the_class_needs_is_another_digest(folder, file):
    before = of(network="mine.Net")
    assert before.digest == of(network="mine.Net").digest != ""
    (folder / file).write_text(FILES[file] + "# changed\n")
    assert (of(network="mine.Net").digest != before.digest) == (file != "unrelated.py")
    assert not {"mine", "parts", "aside"} & sys.modules.keys()  # nothing is imported to find out


def test_the_digest_does_not_know_how_a_system_ends_lines(folder):
    before = of(network="mine.Net")
    (folder / "mine.py").write_bytes(FILES["mine.py"].replace("\n", "\r\n").encode())
    assert of(network="mine.Net") == before


def test_the_digest_does_not_know_where_the_folder_lies(folder, monkeypatch, tmp_path_factory):
    before = of(network="mine.Net")
    monkeypatch.syspath_prepend(folder.rename(tmp_path_factory.mktemp("moved") / "there"))
    assert of(network="mine.Net") == before


def test_what_is_installed_goes_by_its_version(folder):
    assert of(network="mine.Net").versions == f"numba {version('numba')}, numpy {version('numpy')}, {_SCIPY_AND_TORCH}"
    steps = [["scale", {"class": "sklearn.preprocessing.StandardScaler"}], ["own", {"class": "mine.Net"}]]
    pipeline = of(estimator="sklearn.pipeline.Pipeline", arguments={"steps": steps})
    assert pipeline.versions == f"numpy {version('numpy')}, scikit-learn {version('scikit-learn')}"
    assert pipeline.digest == of(network="mine.Net").digest


def test_ours_go_by_their_registered_name_wherever_the_file_lies(monkeypatch):
    for name, path in NETWORKS.items():
        table = ModelSettings(grid={})
        assert code_of(name, table) == Code(name, "", f"numba {version('numba')}, {_SCIPY_AND_TORCH}")
        assert code_of("another", ModelSettings(network=path, grid={})) == code_of(name, table)
    monkeypatch.setitem(NETWORKS, "snn", "snnbench.models.moved.SNN")
    assert code_of("snn", ModelSettings(grid={})).name == "snn"


@pytest.fixture
def package(folder, monkeypatch):
    """A package that is installed, in version 1.0, as pip would."""
    place = folder / "elsewhere"
    (place / "fine_nets").mkdir(parents=True)
    (place / "fine_nets" / "__init__.py").write_text("class Net:\n    pass\n")
    info = place / "fine_nets-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fine-nets\nVersion: 1.0\n")
    (info / "RECORD").write_text("fine_nets/__init__.py,,\n")
    monkeypatch.syspath_prepend(place)
    code._all_distributions.cache_clear()
    yield place
    code._all_distributions.cache_clear()


def test_an_installed_package_of_the_users_own_is_read_where_a_config_names_it(package, folder):
    named = of(estimator="fine_nets.Net")
    assert named.versions == "fine-nets 1.0"
    (folder / "mine.py").write_text("from fine_nets import Net\n")
    behind = of(estimator="mine.Net")
    assert behind.versions == "fine-nets 1.0"
    (package / "fine_nets" / "__init__.py").write_text("class Net:\n    gain = 2\n")
    assert of(estimator="fine_nets.Net").digest != named.digest != ""
    assert of(estimator="mine.Net") == behind  # which imports it, as it does numpy: by its version


def test_another_version_of_a_package_is_another_code(package):
    before = of(estimator="fine_nets.Net")
    (package / "fine_nets-1.0.dist-info").rename(package / "fine_nets-1.1.dist-info")
    (package / "fine_nets-1.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: fine-nets\nVersion: 1.1\n")
    after = of(estimator="fine_nets.Net")
    assert (after.digest, after.versions) == (before.digest, "fine-nets 1.1")


def test_a_package_that_is_edited_where_it_lies_is_the_users_own(package, folder):
    editable = folder / "checkout" / "fine_nets"
    editable.parent.mkdir()
    (package / "fine_nets").rename(editable)
    sys.path.insert(0, str(editable.parent))  # as the .pth file of an editable install does; taken back with the fixture's
    (folder / "mine.py").write_text("from fine_nets import Net\n")
    before = of(estimator="mine.Net")
    (editable / "__init__.py").write_text("class Net:\n    gain = 2\n")
    assert before.versions == ""
    assert of(estimator="mine.Net").digest != before.digest
