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
