"""The page about a model for people who find it: ``README.md``, and what its licence is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_webipred import licences
from napari_webipred.evaluation.words import TITLES
from napari_webipred.publishing.golden import FILE as GOLDEN

if TYPE_CHECKING:
    from napari_webipred.card import ModelCard
    from napari_webipred.evaluation.metric import Metric
    from napari_webipred.evaluation.published import Published
    from napari_webipred.publishing.verification import Verification

FILE, LICENCE = "README.md", "LICENSE.txt"
_MOST_CLASSES = 200
_FIGURES = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "precision", "f1", "auc")


def readme(
    card: ModelCard,
    files: Sequence[tuple[str, str]],
    published: Sequence[Published],
    verifications: Sequence[Verification],
) -> bytes:
    """Write the page; what is not known is left out.

    Parameters
    ----------
    card : ModelCard
    files : sequence of (str, str)
        Names of the files of the model, and what they are.
    published : sequence of Published
        How good it is.
    verifications : sequence of Verification
    """
    sections = [
        ("", card.description),
        ("Classes", _classes(card)),
        ("Input", _input(card)),
        ("Intended use", card.intended_use or ""),
        ("Limitations", card.limitations or ""),
        ("Notes", "\n".join(f"- {note}" for note in card.provenance.notes)),
        ("Performance", "\n\n".join(_performance(each) for each in published)),
        ("Files", _files(files)),
        ("How to use it", _use(card, files)),
        ("How to check it", _check(verifications)),
        ("Licence", _licence(card)),
        ("Please cite", "\n".join(f"- {' '.join(filter(None, (c.text, c.doi or c.url)))}" for c in card.citations)),
    ]
    parts = [f"# {card.name}"]
    parts += [f"## {title}\n\n{text.strip()}" if title else text.strip() for title, text in sections if text.strip()]
    return ("\n\n".join(parts) + "\n").encode()


def licence(card: ModelCard) -> bytes:
    """Write under which licence the model is, and whose work it is."""
    lines = [card.name, *_licence(card).split("\n\n")]
    if card.authors:
        lines.append("Authors: " + "; ".join(author.name for author in card.authors))
    return ("\n\n".join(lines).strip() + "\n").encode()


def _classes(card: ModelCard) -> str:
    rows = [f"| {each.index} | {_cell(each.name)} | {_cell(each.label or '')} |" for each in card.classes]
    more = len(rows) - _MOST_CLASSES
    rule = {
        "multi-class": "An image has exactly one of these classes.",
        "multi-label": "An image can have several of these classes, or none.",
        "binary": "The network returns one number, the probability of class 1.",
        "regression": "The network returns values, not probabilities.",
    }[card.task]
    table = "\n".join(["| output | class | meaning |", "|---:|---|---|", *rows[:_MOST_CLASSES]])
    return f"{table}\n\n{rule}" + (f" {more} more classes are listed in webipred.json." if more > 0 else "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _input(card: ModelCard) -> str:
    if card.input is None or card.preprocessing is None:
        return ""
    given, how = card.input, card.preprocessing
    channels = {1: "1 channel (grey)", 3: f"3 channels ({given.channel_order})"}.get(given.channels or 0, "")
    ways = {"stretch": "stretched", "center-crop": "cropped to the middle", "pad": "padded", "none": "not resized"}
    numbers = [
        f"{name} {', '.join(f'{value:g}' for value in values)}"
        for name, values in (("mean", how.mean), ("standard deviation", how.std))
        if values
    ]
    lines = [
        f"- Size: {given.width} x {given.height} pixels" + (f", {channels}" if channels else ""),
        f"- Images of another size are {ways[how.resize_mode]} ({how.interpolation})",
        f"- Pixel values from 0 to 255 are scaled: {how.standardize_mode}" + "".join(f", {each}" for each in numbers),
        f"- Arithmetic as in: {how.profile}",
    ]
    return "\n".join(lines)


def _performance(published: Published) -> str:
    known = {(metric.name, metric.class_name): metric for metric in published.metrics}
    names = [name for name in _FIGURES if any(each == name for each, _ in known)]
    columns = [*([""] if any(not each for _, each in known) else []), *published.classes]
    shown = [column for column in columns[:_MOST_CLASSES] if any((name, column) in known for name in names)]
    if not names or not shown:
        return ""
    header = "| | " + " | ".join(_cell(column) or "all classes" for column in shown) + " |"
    rows = [
        f"| {TITLES[name]} | " + " | ".join(_number(known.get((name, column))) for column in shown) + " |"
        for name in names
    ]
    images = sum(published.distribution.values())
    where = "; ".join(published.remarks) or (f"On {images:,} images." if images else "")
    return "\n".join([where, "", header, "|---|" + "---:|" * len(shown), *rows]).strip()


def _number(metric: Metric | None) -> str:
    return "" if metric is None else metric.words


def _files(files: Sequence[tuple[str, str]]) -> str:
    return "\n".join(["| file | what it is |", "|---|---|", *(f"| `{name}` | {what} |" for name, what in files)])


def _use(card: ModelCard, files: Sequence[tuple[str, str]]) -> str:
    zips = [name for name, _ in files if name.endswith("_model_converted.zip")]
    model = (zips or [name for name, _ in files])[0]
    parts = [
        "In napari, with the plugin napari-webipred: *Add model…*, and the DOI of this record. In a terminal:\n\n"
        f"```\npip install napari-webipred\nnapari-webipred classify images/ --model {model}\n```"
    ]
    if zips and any(what == "TensorFlow.js Layers model, zipped" for _, what in files):
        parts.append(
            "In a web page, with TensorFlow.js, after unpacking the archive:\n\n"
            "```js\nconst model = await tf.loadLayersModel('model.json');\n"
            f"const numbers = model.predict(batch); // float32, [n, {_size(card)}], prepared as said above\n```"
        )
    return "\n\n".join(parts)


def _size(card: ModelCard) -> str:
    given = card.input
    return f"{given.height}, {given.width}, {given.channels or 3}" if given else ""


def _check(verifications: Sequence[Verification]) -> str:
    golden = (
        f"`{GOLDEN}` says what the model gives for the pictures `golden-1.png` and so on. They are synthetic and show "
        "nothing. The program checks the first of them each time it opens the model."
    )
    return "\n\n".join([golden, *(each.sentence for each in verifications)])


def _licence(card: ModelCard) -> str:
    parts = []
    if card.license:
        page = licences.page(card.license)
        parts.append(f"This model is licensed under {card.license}" + (f": {page}" if page else "."))
    if base := card.base:
        of = ", ".join(filter(None, (base.name, base.doi)))
        under = f", which is licensed under {base.license}" if base.license else ""
        parts.append(f"{'It is a copy of' if base.name == card.name else 'It was made of'} {of}{under}.")
    return "\n\n".join(parts)
