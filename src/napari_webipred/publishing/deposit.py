"""A model as the files of a record that is ready for Zenodo; nothing is uploaded."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from napari_webipred.archive.label_files import CARD_FILE
from napari_webipred.archive.new_zip import zipped
from napari_webipred.card import ModelCard, PartialCard
from napari_webipred.errors import WebIPredError
from napari_webipred.evaluation import performance
from napari_webipred.evaluation.files import as_json
from napari_webipred.formats import BY_ID
from napari_webipred.publishing import golden, readme, tensorflow, tensorflowjs, weights
from napari_webipred.publishing.checklist import Item, listed, slug
from napari_webipred.publishing.own_names import traces
from napari_webipred.publishing.performance import metrics_names, performance_files, published_beside
from napari_webipred.publishing.published_card import card_values, published_card
from napari_webipred.publishing.verification import Verification, computed, judged
from napari_webipred.publishing.zenodo_metadata import FILE as ZENODO
from napari_webipred.publishing.zenodo_metadata import zenodo_file
from napari_webipred.steps import told

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_webipred.publishing.material import Material

SUMS = "SHA256SUMS.txt"
_NOBODY = "There is no other program to compare the numbers with."
_OFF = "The numbers were not compared with those of another program."


class Wishes(Struct, frozen=True):
    """What the user says about a model that is to be published.

    Attributes
    ----------
    said : PartialCard
        What counts instead of what the card says.
    evaluation : Path, optional
        A folder that an evaluation was saved to.
    verify : bool
        Whether the numbers are compared with those of TensorFlow or TensorFlow.js, where these are.
    packages : Path, optional
        The folder whose ``node_modules`` has the package ``@tensorflow/tfjs``.
    """

    said: PartialCard = field(default_factory=PartialCard)
    evaluation: Path | None = None
    verify: bool = True
    packages: Path | None = None


class Deposit(Struct, frozen=True, eq=False):
    """A record that is ready for Zenodo, in memory.

    Attributes
    ----------
    card : ModelCard
        As it is published.
    files : dict of str to bytes
        By their names.
    items : tuple of Item
        What there is, and what is missing.
    verifications : tuple of Verification
        How far the numbers are from those of other programs.
    """

    card: ModelCard
    files: Mapping[str, bytes]
    items: tuple[Item, ...]
    verifications: tuple[Verification, ...] = ()

    @property
    def missing(self) -> tuple[Item, ...]:
        """What Zenodo or the users of the model need and that is not there."""
        return tuple(item for item in self.items if item.state == "missing")


def packing(material: Material, wishes: Wishes) -> Generator[str, None, Deposit]:
    """Make the files of a record, step by step.

    Parameters
    ----------
    material : Material
    wishes : Wishes

    Yields
    ------
    str
        What is being done.

    Raises
    ------
    OptionError
        What the user says cannot be used.
    ModelError
        The model has files that cannot be published as they are.
    """
    yield "Computing the golden output"
    batch, probabilities, numbers = computed(material)
    model = material.model
    card = published_card(model.card, model.path, wishes.said, golden.self_test(probabilities, model.card.task))
    yield "Writing the network"
    shown, reason = weights.browser(material)
    if shown is not None and shown.converted:
        weights.same_numbers(shown.files, batch, numbers)
    verifications, unverified = yield from _compared(material, shown, batch, probabilities, wishes)
    if verifications:
        card = card.model_copy(update={"verification": [each.as_dict() for each in verifications]})
    yield "Drawing charts"
    measured = performance_files(card, material.files, wishes.evaluation)
    if wishes.evaluation is not None or published_beside(material.files):
        card = card.model_copy(update={"metrics": {}})  # they stand beside it, and would be there twice
    model_files, card = _model_files(material, card, shown, measured)
    known = performance.of_card(card) if card.metrics else performance.of(card, measured)
    files = {
        **model_files,
        CARD_FILE: as_json(card_values(card)),
        **measured,
        **golden.golden_files(card, batch, probabilities),
        readme.FILE: readme.readme(card, _described(material, model_files, loadable=not reason), known, verifications),
        **({readme.LICENCE: readme.licence(card)} if card.license else {}),
        ZENODO: zenodo_file(card, for_browsers=shown is not None and not reason),
    }
    files[SUMS] = _sums(files, card)
    looks = [*_looks(material), *([reason] if reason else []), *traces(files, material.model.path)]
    items = listed(card, verifications, unverified, measured=bool(known), looks=looks)
    return Deposit(card, files, items, verifications)


def _compared(
    material: Material,
    shown: weights.Browser | None,
    batch: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    wishes: Wishes,
) -> Generator[str, None, tuple[tuple[Verification, ...], tuple[str, ...]]]:
    """Compare the numbers with those of the programs that are here; say why others were not asked."""
    if not wishes.verify:
        return (), (_OFF,)
    found: list[Verification] = []
    reasons: list[str] = []
    ways = []
    if material.form in tensorflow.FORMATS:
        ways.append(told(tensorflow.asking(material, batch), lambda _: f"{tensorflow.NAME} is computing"))
    if shown is not None:
        output = 0 if shown.converted else material.output
        asked = tensorflowjs.asking(shown.files, "model.json", batch, output, wishes.packages)
        ways.append(told(asked, lambda _: f"{tensorflowjs.NAME} is computing"))
    for steps in ways:
        try:
            answer = yield from steps
        except WebIPredError as error:
            reasons.append(error.message)
        else:
            found.append(judged(answer, probabilities, material.model.card))
    return tuple(found), tuple(reasons if ways else [_NOBODY])


def _model_files(
    material: Material, card: ModelCard, shown: weights.Browser | None, measured: Mapping[str, bytes]
) -> tuple[dict[str, bytes], ModelCard]:
    """Return the files with the network, and the card that names them."""
    files: dict[str, bytes] = {}
    entries = []
    if shown is not None:
        key = f"{slug(card.name)}{weights.CONVERTED}"
        entries.append(weights.card_weights(shown.form, key))
        inside = {**card_values(card), "weights": entries[:1]}
        beside = {name: measured[name] for name in metrics_names(measured)}
        files[key] = zipped({**shown.files, CARD_FILE: as_json(inside), **beside})
    if (original := weights.original(material, card.name)) is not None:
        name, content = original
        files[name] = content
        entries.append(weights.card_weights(material.form, name))
    for entry in entries:
        content = files[entry["source"]["file_key"]]
        entry |= {"size": len(content), "checksum": _checksum(content)}
    return files, ModelCard.model_validate({**card_values(card), "weights": entries})


def _described(material: Material, files: Mapping[str, bytes], *, loadable: bool) -> list[tuple[str, str]]:
    """Say of each file with the network what it is."""
    graph = "graph" if material.form == "tfjs-graph" else "Layers"
    made = BY_ID[material.form].label
    zipped_model = f"TensorFlow.js {graph} model, zipped" + (
        "" if loadable else "; TensorFlow.js itself cannot load it"
    )
    return [(name, zipped_model if name.endswith(weights.CONVERTED) else f"The model: {made}") for name in files]


def _looks(material: Material) -> list[str]:
    """Say what the user should look at before the model is published."""
    card = material.model.card
    if card.is_unpublished or not card.record_doi:
        return []
    return [f"This model is published already: {card.record_doi}. Publish it again only if its authors agree."]


def _sums(files: Mapping[str, bytes], card: ModelCard) -> bytes:
    """List the SHA-256 of each file, as ``sha256sum`` does; the card has those of the files with the network."""
    known = {each.source.file_key: each.checksum for each in card.weights}
    sums = {name: known.get(name) or _checksum(content) for name, content in files.items()}
    return "".join(f"{checksum.removeprefix('sha256:')}  {name}\n" for name, checksum in sums.items()).encode()


def _checksum(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
