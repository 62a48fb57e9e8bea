"""How good a model is, as WebIPred's records say it: metrics JSON and charts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from napari_webipred import safe_json
from napari_webipred.atomic_file import read_small
from napari_webipred.card import ModelCard
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import performance, publication, webipred
from napari_webipred.evaluation.files import RECORD, WEBIPRED_JSON, as_json
from napari_webipred.evaluation.published import Published
from napari_webipred.formats import METRIC_FILES

OWN = "metrics.json"


def performance_files(card: ModelCard, beside: Mapping[str, bytes], evaluation: Path | None) -> dict[str, bytes]:
    """Write what is known of how good a model is: metrics JSON in WebIPred's format, tables and charts.

    Parameters
    ----------
    card : ModelCard
    beside : mapping of str to bytes
        The files of the model, of which those with metrics are taken.
    evaluation : Path, optional
        A folder that an evaluation was saved to, or the metrics JSON in it; counts instead of all others. Names of
        images, which also stand in that folder, are not read.

    Returns
    -------
    dict of str to bytes
        Empty if nothing is known.

    Raises
    ------
    OptionError
        A file cannot be read, is no such JSON, or is about other classes.
    """
    if evaluation is not None:
        documents = {OWN: _evaluated(evaluation, card)}
    else:
        documents = {name: _parsed(name, beside[each]) for each in beside if (name := _base(each)) in METRIC_FILES}
    found = [webipred.read(document, METRIC_FILES[name]) for name, document in documents.items()]
    if not found:
        found = performance.of_card(card)
        documents = {_name_of(each): webipred.document_of(each) for each in found if each.confusion is not None}
    files = {
        name: as_json({key: each[key] for key in webipred.KEYS if key in each}) for name, each in documents.items()
    }
    if found:
        files |= {name: content for name, content in publication.contents(found, "").items() if name != RECORD}
    return files


def published_beside(files: Mapping[str, bytes]) -> bool:
    """Tell whether metrics JSON lies beside a model."""
    return any(_base(name) in METRIC_FILES for name in files)


def metrics_names(files: Mapping[str, bytes]) -> list[str]:
    """Return which of the files are metrics JSON."""
    return [name for name in files if name in METRIC_FILES]


def _base(name: str) -> str:
    return PurePosixPath(name).name


def _evaluated(path: Path, card: ModelCard) -> dict[str, Any]:
    file = path / WEBIPRED_JSON if path.is_dir() else path
    try:
        document = _parsed(file.name, read_small(file))
    except OSError as error:
        raise OptionError(
            f"There is no {WEBIPRED_JSON} in {path}.", "Choose a folder that an evaluation was saved to."
        ) from error
    classes = webipred.read(document, OWN).classes
    if sorted(classes) != sorted(card.class_names):
        raise OptionError(
            f"The evaluation in {path} is about other classes ({', '.join(classes[:5])}) than the model "
            f"({', '.join(card.class_names[:5])}).",
            "Choose an evaluation of this model.",
        )
    return document


def _parsed(name: str, content: bytes) -> dict[str, Any]:
    try:
        document = safe_json.parse(content)
    except ValueError as error:
        raise OptionError(f"The metrics {name} cannot be read: {error}.", "Check the file.") from error
    if not isinstance(document, dict):
        raise OptionError(f"The metrics {name} are not in the format of WebIPred.", "Check the file.")
    return document


def _name_of(published: Published) -> str:
    return next((name for name, source in METRIC_FILES.items() if source == published.source), OWN)
