"""The model card as text."""

from __future__ import annotations

import re
from html import escape

from napari_webipred import licences
from napari_webipred._napari import links
from napari_webipred._napari.links import link, linked
from napari_webipred._napari.models.entry import megabytes
from napari_webipred._napari.models.origin import format_of, origin_of, page_of
from napari_webipred.card import ClassEntry, ModelCard
from napari_webipred.names import readable

LONGEST = 50_000  # characters of a paragraph
MOST_CLASSES = 50  # a line each; results and settings list the others

# The most common figures; other entries of a card's metrics are tables or remarks.
FIGURES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "auc": "AUC", "f1": "F1"}
SCALING = {
    "torch": "ImageNet mean and standard deviation",
    "tf": "-1 to 1",
    "caffe": "ImageNet mean, BGR",
    "minmax": "0 to 1, from each image's own range",
    "z-score": "mean 0 and standard deviation 1, for each image",
    "grayscale": "0 to 255, from each image's own range",
    "none": "0 to 255",
    "custom": "a custom range",
}


def about(card: ModelCard) -> str:
    """Describe a model as HTML in which every text from outside is escaped and nothing is loaded from anywhere."""
    paragraphs = [
        ("", card.description),
        ("Intended use", card.intended_use),
        ("Value" if card.task == "regression" else "Classes", _classes(card)),
        ("Input", _input(card)),
        ("Notes", "\n".join(_remarks(card))),
        ("Published performance", _performance(card)),
        ("Limitations", card.limitations),
        ("Licence", card.license or "not stated; check the source of the model"),
        ("Authors", ", ".join(author.name for author in card.authors)),
        ("Please cite", "\n".join(f"{c.text} {_address(c.doi, c.url)}".strip() for c in card.citations)),
        ("Published", " ".join(filter(None, (card.provenance.published, _address(card.record_doi, None))))),
        ("Source", origin_of(card)),
        ("", card.provenance.origin),
        ("File", " ".join(filter(None, (format_of(card), megabytes(card.weights[0].size if card.weights else None))))),
    ]
    pages = {"Licence": licences.page(card.license or ""), "Source": page_of(card)}
    return "".join(_paragraph(title, text, pages.get(title, "")) for title, text in paragraphs if text)


def _paragraph(title: str, text: str, page: str = "") -> str:
    """Write a paragraph in which addresses can be clicked, or all of it if it has a page."""
    text = readable(text.strip(), LONGEST)
    body = (link(page, text) if page else linked(text)).replace("\n", "<br>")
    return f"<p><b>{escape(title)}</b><br>{body}</p>" if title else f"<p>{body}</p>"


def _classes(card: ModelCard) -> str:
    lines = [_named(entry) for entry in card.classes[:MOST_CLASSES]]
    if (more := len(card.classes) - len(lines)) > 0:
        lines.append(f"… and {more:,} more")
    rule = "\nAn image can have several of these classes, or none." if card.task == "multi-label" else ""
    return "\n".join(lines) + rule if lines else "not stated"


def is_code(name: str, label: str) -> bool:
    """Whether a class has a label that says more than its name, and does not begin with it."""
    return bool(label) and re.split(r"\W+", label.casefold())[0] != name.casefold()


def _named(entry: ClassEntry) -> str:
    label = entry.label or ""
    words = f"{entry.name}: {label}" if entry.is_named and is_code(entry.name, label) else label or entry.name
    return f"{words} ({entry.unit})" if entry.unit else words


def _input(card: ModelCard) -> str:
    parts = []
    if card.input:
        channels = {1: "grey", 3: "colour", 4: "four channels", None: ""}[card.input.channels]
        parts += [f"{card.input.width} × {card.input.height} pixels", channels]
    if card.preprocessing:
        parts.append(f"values scaled to {SCALING[card.preprocessing.standardize_mode]}")
    return ", ".join(part for part in parts if part) or "not stated"


def _performance(card: ModelCard) -> str:
    figures = [
        f"{words} {card.metrics[name]:.3f}"
        for name, words in FIGURES.items()
        if isinstance(card.metrics.get(name), float)
    ]
    where = next((card.metrics[key] for key in ("test_set", "source") if isinstance(card.metrics.get(key), str)), "")
    held_out = card.metrics.get("held_out")
    if not where and isinstance(held_out, dict) and held_out.get("n"):
        where = f"{held_out['n']} images that were not used for training"
    return ", ".join(figures) + (f"\n{where}" if where and figures else "")


def _remarks(card: ModelCard) -> list[str]:
    known = card.provenance
    return [*known.remarks, known.self_test] if known.self_test else known.remarks


def _address(doi: str | None, url: str | None) -> str:
    return links.doi(doi) if doi else url or ""
