"""The report as a page: it says what the table says, and fetches nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from matplotlib.font_manager import FontProperties, findfont
from PIL import ImageFont

from napari_webipred.reports.chart import bars, text
from napari_webipred.reports.making import Wishes, making
from napari_webipred.reports.pictures import pictures
from napari_webipred.reports.results import Results
from napari_webipred.steps import result_of

RITA = {"reader": "Rita Reader", "organisation": "Clinic"}
ALONE = {"meta", "img", "br"}


class Page(HTMLParser):
    """The elements of a page, which are all closed again."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, words: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += f" {words}"


def page(results: Results, **wishes: Any) -> tuple[str, Page]:
    (content,) = result_of(making(results, "html", Wishes(**{**RITA, **wishes}))).documents
    return content.decode(), Page(content.decode())


def test_it_shows_all_numbers_and_answers(study) -> None:
    _, found = page(study.results({0: ("noisy", "much grain"), 1: ("", "")}))
    for row in study.numbers():
        assert all(f"{number:.4f}" in found.words for number in row)
    assert "Rita Reader, Clinic" in found.words
    assert "much grain" in found.words
    assert "unsure" in found.words
    assert "2026-11-26 10:00 UTC" in found.words
    assert [tag for tag, _ in found.elements].count("svg") == 5  # four images, and the lines along the series


def test_it_says_how_it_was_made_and_what_to_cite(study, change_record) -> None:
    cited = [{"text": "Doe J. A model.", "doi": "10.1/x", "url": None}]
    change_record(doi="10.5281/zenodo.7", citations=cited, license="CC-BY-4.0")
    record = study.results().record
    content, found = page(study.results())
    assert record["model"]["checksum"] in found.words
    assert "Doe J. A model." in found.words
    assert "CC-BY-4.0" in found.words
    assert f"onnxruntime {record['versions']['onnxruntime']}" in found.words
    assert re.findall(r'href=.([^\'"]+)', content) == ["https://doi.org/10.5281/zenodo.7", "https://doi.org/10.1/x"]


def test_it_fetches_nothing_and_runs_nothing(study, change_record) -> None:
    bad = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    entries = [dict(entry) for entry in study.results().record["model"]["classes"]]
    change_record(
        name=bad, description=bad, license=bad, doi=f"10.1/{bad}", classes=[*entries[:-1], entries[-1] | {"label": bad}]
    )
    shown = result_of(pictures(study.results()))
    content, found = page(study.results({0: ("sharp", bad)}), pictures=shown)
    assert {tag for tag, _ in found.elements} & {"script", "iframe", "link", "object", "form"} == set()
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on")]
    sources = [attributes["src"] for tag, attributes in found.elements if tag == "img"]
    assert len(sources) == 4
    assert all(str(source).startswith("data:image/png;base64,") for source in sources)
    assert "url(" not in content
    assert "@import" not in content
    assert any("default-src 'none'" in str(attributes.get("content")) for _, attributes in found.elements)
    assert bad in found.words.replace("  ", " ")


def test_pictures_and_the_patient_are_shown_only_when_asked_for(study) -> None:
    content, found = page(study.results())
    assert "img" not in {tag for tag, _ in found.elements}
    assert not any(word in content for word in ("Mustermann", "P-17", "19610101", "A77"))
    _, found = page(study.results(), name=True)
    assert all(word in found.words for word in ("Mustermann^Erika", "P-17", "19610101", "A77"))


def test_a_failed_image_says_why(study) -> None:
    lines = study.table.read_text(encoding="utf-8").splitlines()
    lines[1] = ",".join([*lines[1].split(",")[:2], *[""] * 6, "It has <no> pixels."])
    study.table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "It has <no> pixels." in page(study.results())[1].words


def test_a_long_name_is_cut_where_it_fits() -> None:
    assert text("abc", 3) == "abc"
    assert text("abcd", 3) == "ab…"
    assert text("日本語", 5) == "日…"
    assert text("<b>", 5) == "&lt;b&gt;"


@pytest.mark.parametrize(
    "name",
    ["PNEUMONIA", "Diabetic Retinopathy", "MMMMWWWW", "melanocytic naevus", "iii", "HER2-", "A. b/c (10 %)", "ÄÖÜ ß"],
)
def test_the_name_of_an_assigned_class_is_not_cut_off_beside_its_bar(name: str) -> None:
    typeface = ImageFont.truetype(findfont(FontProperties(family="DejaVu Sans", weight="bold")), 13)
    found = re.search(
        r'<text x="(\d+)" y="16" text-anchor="end" font-weight="600">', bars([name, "x"], [0.9, 0.1], [True, False])
    )
    assert found is not None
    assert typeface.getlength(name) <= int(found[1])
