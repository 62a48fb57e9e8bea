"""The pages of the documentation: they become a site without faults, and the site loads nothing from other servers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What a browser loads by itself, unlike a link that somebody clicks.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\bsrc="(https?:)?//|<link[^>]*rel="stylesheet"[^>]*href="(https?:)?//"""
)
LOADED_BY_STYLES = re.compile(r"""url\(\s*['"]?(https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_parser")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(folder / "doctrees")]
    done = subprocess.run(
        [*build, "-b", "html", str(ROOT / "docs"), str(folder / "html")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_every_page_is_in_the_contents_and_every_link_between_pages_leads_somewhere(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages <= {path.stem for path in site.glob("*.html")}


def test_the_site_loads_nothing_from_other_servers(site: Path) -> None:
    loading = [path.name for path in site.rglob("*.html") if LOADED.search(path.read_text(encoding="utf-8"))]
    styles = [path.name for path in site.rglob("*.css") if LOADED_BY_STYLES.search(path.read_text(encoding="utf-8"))]
    assert loading == []
    assert styles == []


def test_the_reference_describes_every_public_name(site: Path) -> None:
    import napari_webipred

    text = (site / "api.html").read_text(encoding="utf-8")
    public = set(napari_webipred.__all__) - {"__version__"}
    assert {name for name in public if f'id="napari_webipred.{name}"' not in text} == set()


def test_the_tutorial_names_buttons_and_menus_as_the_panel_does() -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "napari_webipred"
    panel = "\n".join(path.read_text(encoding="utf-8") for path in (package / "_napari").rglob("*.py"))
    manifest = (package / "napari.yaml").read_text(encoding="utf-8")
    # A literal ends where a value is filled in; "&" marks a key for the keyboard.
    shown = re.findall(r'"([^"{}\n]*)', panel.replace("&", "")) + re.findall(r"display_name: (.*)", manifest)
    filled_in = re.findall(r'"([A-Z][\w ]+ )\{[^{}]*\}"', panel)  # a word at the end, such as "Along z"
    names = {text.rstrip("…“ ") for text in shown}
    of_napari = {"Plugins", "Install/Uninstall Plugins...", "File", "Open Sample", "Layers"}
    quoted = {
        re.sub(r"^Classify \d+ images$", "Classify", part.rstrip("… ").removesuffix(" (napari-webipred)"))
        for label in re.findall(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])", tutorial)
        for part in label.split(" > ")
    }
    assert len(quoted) > 20
    quoted -= {name for name in quoted if name.removesuffix(name.split(" ")[-1]) in filled_in}
    assert quoted - names - of_napari == set()
