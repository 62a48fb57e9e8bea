"""A report for people: one HTML file without scripts and without anything from elsewhere."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from napari_webipred.names import readable
from napari_webipred.reports.chart import MOST_LINES, bars, lines
from napari_webipred.reports.person import Person
from napari_webipred.reports.results import Result, Results

_SHOWN = 8  # classes of an image; the table has all of them
_FORBIDDEN = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"  # a browser holds it to that
_WARNING = "For research and teaching only: this is not a medical device."
_MADE = {
    "made": "Made",
    "table_checksum": "Checksum of the table",
    "python": "Python",
    "platform": "System",
    "provider": "Computed by",
}


def page(
    results: Results, pictures: Mapping[int, bytes], patients: Sequence[Mapping[str, str]], reader: Person | None
) -> str:
    """Make the page.

    Parameters
    ----------
    results : Results
    pictures : mapping of int to bytes
        Images as PNG, by the number of their row from 0; may be empty.
    patients : sequence of mapping of str to str
        What is said of the patients, if that was asked for.
    reader : Person, optional
        Who has answered.
    """
    record, name = results.record, str(results.record["model"]["name"])
    title = f"Classification report: {name}"
    parts = [
        f"<header><p class='pale'>Classification report</p><h1>{_text(name)}</h1>",
        f"<p class='pale'>{_text(_moment(str(record['made'])))} · {_WARNING}</p></header>",
        *(f"<p class='note'>{_text(note)}</p>" for note in (*results.notes, *record.get("notes", ()))),
        _facts(results),
        _patients(patients),
        _summary(results),
        *_images(results, pictures, reader),
        _model(record["model"]),
        _made(record),
    ]
    style = files("napari_webipred.reports").joinpath("style.css").read_text(encoding="utf-8")
    return (
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{_FORBIDDEN}">\n'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        "<meta name='generator' content='napari-webipred'>\n"
        f"<title>{_text(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    return escape(readable(text))


def _moment(written: str) -> str:
    """Write a time for people, as ``2026-01-31 12:05 UTC``; what is none stays as it is."""
    try:
        return f"{datetime.fromisoformat(written).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError):
        return written


def _facts(results: Results) -> str:
    """Count what there is."""
    rows = results.rows
    read = [row for row in rows if row.reading is not None]
    labels = [(row, row.reading.labels(results.classes)) for row in read if row.reading is not None]
    known = [(row, found) for row, found in labels if found is not None]
    agree = sum({*found} == {*row.assigned} for row, found in known)
    facts = {
        "rows" if any(row.place for row in rows) else "images": len(rows),
        "classes": len(results.classes),
        **({"failed": failed} if (failed := sum(bool(row.error) for row in rows)) else {}),
        **({"validated by a reader": len(known), "of these as the model says": agree} if read else {}),
        **({"reader unsure": unsure} if (unsure := len(labels) - len(known)) else {}),
    }
    cells = "".join(f"<div><b>{number}</b>{name}</div>" for name, number in facts.items())
    return f"<section class='facts'>{cells}</section>"


def _patients(patients: Sequence[Mapping[str, str]]) -> str:
    if not patients:
        return ""
    return "<section><h2>Patient</h2>" + "".join(_table(patient) for patient in patients) + "</section>"


def _summary(results: Results) -> str:
    """Count the images of each class."""
    counts = Counter(name for row in results.rows for name in row.assigned)
    if len(results.rows) < 2 or not counts:
        return ""
    said = Counter(name for row in results.rows if row.reading for name in row.reading.classes)
    read = any(row.reading for row in results.rows)
    head = "<th>Class</th><th class='number'>Model</th>" + ("<th class='number'>Reader</th>" if read else "")
    lines_ = []
    for name in [*results.classes, *(each for each in said if each not in results.classes)]:
        if counts[name] or said[name]:
            cells = f"<td>{_text(name)}</td><td class='number'>{counts[name]}</td>"
            cells += f"<td class='number'>{said[name]}</td>" if read else ""
            lines_.append(f"<tr>{cells}</tr>")
    return f"<section><h2>Classes</h2><table><tr>{head}</tr>{''.join(lines_)}</table></section>"


def _images(results: Results, pictures: Mapping[int, bytes], reader: Person | None) -> list[str]:
    parts = ["<section><h2>Images</h2>"]
    if reader is not None and any(row.reading for row in results.rows):
        parts.append(f"<p class='pale'>Reader: {_text(reader.name)}, {_text(reader.organisation)}</p>")
    number = 0
    for rows in results.by_image:
        parts.append(_plot(rows, results.classes))
        for row in rows:
            parts.append(_row(row, results.record["model"], pictures.get(number)))
            number += 1
    return [*parts, "</section>"]


def _plot(rows: Sequence[Result], classes: Sequence[str]) -> str:
    """Draw the classes that are assigned most along a stack, if this is one."""
    axes = {axis for row in rows for axis in row.position}
    known = [row for row in rows if row.probabilities is not None and row.position]
    if len(axes) != 1 or len(known) < 3 or any(row.region for row in rows):
        return ""
    axis = axes.pop()
    means = [sum(row.probabilities[i] for row in known if row.probabilities) for i in range(len(classes))]
    most = sorted(range(len(classes)), key=lambda i: -means[i])[:MOST_LINES]
    numbers = [[row.probabilities[i] for row in known if row.probabilities] for i in most]
    drawn = lines(axis, [row.position[axis] for row in known], [classes[i] for i in most], numbers)
    title = f"<h3>{_text(rows[0].image)}</h3><p class='pale'>{len(rows)} planes</p>"
    return f"<div class='row'><div>{title}{drawn}</div></div>"


def _row(row: Result, model: Mapping[str, Any], picture: bytes | None) -> str:
    place = f" <span class='pale'>{_text(row.place)}</span>" if row.place else ""
    title = f"<h3>{_text(row.image)}{place}</h3>"
    shown = ""
    if picture is not None:
        shown = f"<img alt='' src='data:image/png;base64,{base64.b64encode(picture).decode()}'>"
    if row.probabilities is None:
        return f"<div class='row'>{shown}<div>{title}<p class='no'>{_text(row.error)}</p></div></div>"
    entries = model["classes"]
    if model.get("task") == "regression":
        values = {
            entry["name"]: f"{n:.6g} {entry.get('unit') or ''}"
            for entry, n in zip(entries, row.probabilities, strict=True)
        }
        return f"<div class='row'>{shown}<div>{title}{_table(values)}</div></div>"
    order = sorted(range(len(entries)), key=lambda i: -row.probabilities[i])  # type: ignore[index]
    top = [i for i in order if entries[i]["name"] in row.assigned]
    top = sorted({*top[:_SHOWN], *order[: max(_SHOWN - len(top), 0)]}, key=order.index)
    names = [str(entries[i]["name"]) for i in top]
    drawn = bars(names, [row.probabilities[i] for i in top], [entries[i]["name"] in row.assigned for i in top])
    more = f"<p class='pale'>and {len(entries) - len(top)} more classes</p>" if len(top) < len(entries) else ""
    return f"<div class='row'>{shown}<div>{title}{_said(row, entries)}{drawn}{more}</div></div>"


def _said(row: Result, entries: Sequence[Mapping[str, Any]]) -> str:
    """Say which classes the model assigns, and what the reader says to that."""
    said = f"Model: <b>{_text(', '.join(row.assigned)) or 'no class'}</b>"
    reading = row.reading
    if reading is not None:
        labels = reading.labels([entry["name"] for entry in entries])
        agrees = labels is not None and {*labels} == {*row.assigned}
        answer = "unsure" if labels is None else _text(", ".join(reading.classes))
        kind, word = ("yes", "agrees") if agrees else ("no", "differs")
        verdict = "" if labels is None else f" <span class='{kind}'>{word}</span>"
        said += f"<br>Reader: <b>{answer}</b>{verdict} <span class='pale'>{_moment(reading.time.isoformat())}</span>"
        if reading.comment:
            said += f"<br>“{_text(reading.comment)}”"
    return f"<p class='said'>{said}</p>"


def _model(model: Mapping[str, Any]) -> str:
    facts = {
        "Name": model["name"],
        "Version": model.get("version"),
        "Authors": ", ".join(model.get("authors") or ()),
        "License": model.get("license") or "not stated",
        "Classes": ", ".join(entry["name"] for entry in model["classes"]),
        "Intended use": model.get("intended_use"),
        "Limitations": model.get("limitations"),
        "Checksum": model["checksum"],
    }
    remarks = [str(each) for name in ("assumed", "notes") for each in (model.get("remarks") or {}).get(name, ())]
    cited = "".join(f"<p>{_citation(each)}</p>" for each in model.get("citations") or ())
    parts = [
        f"<section><h2>Model</h2><p>{_text(model.get('description') or '')}</p>",
        _table({name: str(value) for name, value in facts.items() if value}),
        *(f"<p class='note'>{_text(remark)}</p>" for remark in remarks),
        f"<h3>Cite</h3>{_doi(model.get('doi'), '<p>Model: ', '</p>')}{cited}" if cited or model.get("doi") else "",
    ]
    return "".join(parts) + "</section>"


def _citation(citation: Mapping[str, Any]) -> str:
    return _text(str(citation["text"])) + _doi(citation.get("doi"), " ")


def _doi(doi: str | None, before: str = "", after: str = "") -> str:
    """Link a DOI; nothing is loaded from there until somebody follows the link."""
    if not doi:
        return ""
    return f"{before}<a href='https://doi.org/{quote(doi, safe='/.')}' rel='noreferrer'>doi:{_text(doi)}</a>{after}"


def _made(record: Mapping[str, Any]) -> str:
    facts = {words: str(record[name]) for name, words in _MADE.items() if record.get(name)}
    facts["Made"] = _moment(facts["Made"])
    facts["Programs"] = ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version)
    for name in ("input", "preprocessing", "options"):
        said = {key: value for key, value in (record.get(name) or {}).items() if value not in (None, False)}
        if said:
            facts[name.capitalize()] = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in said.items())
    return f"<section><h2>How it was made</h2>{_table(facts)}</section>"


def _table(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><th>{_text(name)}</th><td>{_text(str(value))}</td></tr>" for name, value in facts.items())
    return f"<table class='made'>{rows}</table>"
