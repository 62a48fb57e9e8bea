"""The model card: what a model is for, what it wants to see and where it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias
from urllib.parse import urlsplit

from napari_webipred import file_errors
from napari_webipred.errors import CatalogueError
from napari_webipred.field_values import Before, ValidationError, between, long, matching
from napari_webipred.formats import BY_ID
from napari_webipred.names import readable, visible
from napari_webipred.schema import DEEPEST, Part

SCHEMA_VERSION = "1.0"

Task = Literal["multi-class", "multi-label", "binary", "regression"]
ResizeMode = Literal["stretch", "center-crop", "pad", "none"]
Profile = Literal["webipred", "aucmedi", "teachable-machine"]
Activation = Literal["in-model", "softmax", "sigmoid", "none"]
Views = Literal["flip", "symmetries"]  # the image and its mirror image; all eight symmetries of the square
Interpolation = Literal["nearest", "bilinear", "bicubic", "area", "lanczos"]
StandardizeMode = Literal["none", "torch", "tf", "caffe", "minmax", "z-score", "grayscale", "custom"]
if TYPE_CHECKING:
    WeightFormat: TypeAlias = str
else:
    WeightFormat = Literal[tuple(BY_ID)]
SourceType = Literal[
    "builtin",
    "zenodo",
    "huggingface",
    "teachable-machine",
    "url",
    "doi",
    "github",
    "figshare",
    "dataverse",
    "local",
    "bundle",  # somebody's own file, which came in a bundle and lies nowhere else
]

MOST_BYTES = 2**63 - 1  # of a file, as every file system counts
PROSE_AT_MOST = 10_000  # characters; the longest description on our own cards has 2,000


def _words(text: str) -> str:
    return readable(visible(text))


def _prose(text: str) -> str:
    return readable(text, PROSE_AT_MOST)


def _all_prose(value: Any, depth: int = 0) -> Any:
    """Write every text in JSON values as prose."""
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return _prose(value)
    if isinstance(value, dict):
        return {_prose(str(key)): _all_prose(part, depth + 1) for key, part in value.items()}
    return [_all_prose(part, depth + 1) for part in value] if isinstance(value, (list, tuple)) else value


def _text(value: Any) -> str | None:
    return None if value is None else _prose(str(value))


def _sentences(value: Any) -> tuple[str, ...]:
    """Make a list of remarks of whatever a card has in that place; each remark is listed once."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return tuple(dict.fromkeys(_prose(str(item)) for item in items if item))


def _web_address(text: str) -> str:
    if not text.isprintable() or not urlsplit(text).hostname:
        raise ValueError("not an address")
    return text


# A card may come from anybody. What people read of it is written so that every character can be seen, and very long
# texts are cut; names of files and tensors and addresses have to stay as they are.
Words = Annotated[str, _words]
Prose = Annotated[str, _prose]
# For cards that were written freely: whatever stands there is read as text.
Fact = Annotated[str | None, Before(_text)]
Sentences = Annotated[tuple[str, ...], Before(_sentences)]


class ClassEntry(Part):
    """One class: its place in the model's output, its short name and a name for people.

    Of a model that gives values (``task`` is ``"regression"``) it is one of these; only such have a ``unit``.
    """

    index: Annotated[int, between(0)]
    name: Words
    label: Words | None = None
    threshold: Annotated[float, between(0, 1)] | None = None
    unit: Words | None = None

    @property
    def is_named(self) -> bool:
        """Whether anybody has named it."""
        return self.name != str(self.index) or self != unnamed(self.index)  # the panel asks for a thousand at once

    def value(self, number: float) -> str:
        """Write a number that is no probability for people: ``63.25 years``."""
        return f"{number:.6g} {self.unit or ''}".rstrip()


# Of two classes that one number tells apart.
FIRST_CLASS = "Class 0 is the one with outputs near 0."


def unnamed(index: int) -> ClassEntry:
    """Make a class that nobody has named."""
    return ClassEntry(index=index, name=str(index), label=f"class {index} (not named)")


def numbered(count: int) -> tuple[ClassEntry, ...]:
    """Make so many classes that nobody has named."""
    return tuple(map(unnamed, range(count)))


def named(names: Sequence[str]) -> tuple[ClassEntry, ...]:
    """Make classes of names in output order. Equal names get their index: ImageNet calls a bird and a machine crane."""
    counts = Counter(names)
    return tuple(
        ClassEntry(index=i, name=f"{name} ({i})" if counts[name] > 1 else name) for i, name in enumerate(names)
    )


def _in_order(classes: tuple[ClassEntry, ...]) -> tuple[ClassEntry, ...]:
    """Put classes in the order of the model's outputs: some sources list them in another."""
    ordered = tuple(sorted(classes, key=lambda entry: entry.index))
    indices = [entry.index for entry in ordered]
    if indices != list(range(len(indices))):
        raise ValueError(f"class indices must be 0, 1, 2, ... without gaps, not {str(indices[:20])[1:-1]}")
    return ordered


class Input(Part):
    """The image the model wants, in pixels. ``channels`` of None is read from the model itself."""

    width: Annotated[int, between(1, 8192)]
    height: Annotated[int, between(1, 8192)]
    channels: Literal[1, 3, 4] | None = None
    channel_order: Literal["RGB", "BGR", "L"] = "RGB"
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    tensor_name: str | None = None


# (x - 127) / 127 is the x / 127 - 1 of the Teachable Machine image library.
TEACHABLE_MACHINE = {"resize_mode": "center-crop", "standardize_mode": "custom", "mean": (127.0,), "std": (127.0,)}


class Preprocessing(Part):
    """How an image becomes the model's input; ``profile`` is the program whose arithmetic is followed.

    The profile ``teachable-machine`` alone says everything: what a card leaves out is filled in from it.
    """

    profile: Profile = "webipred"
    standardize_mode: StandardizeMode
    resize_mode: ResizeMode = "stretch"
    interpolation: Interpolation = "bilinear"
    crop_pct: Annotated[float, between(0, 1, above=True)] = 1.0
    rescale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[Annotated[float, between(0, above=True)], ...] | None = None

    @classmethod
    def before(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Complete the profile."""
        return {**TEACHABLE_MACHINE, **values} if values.get("profile") == "teachable-machine" else values


class ExpectedImages(Part):
    """What the images were like that a model was trained on; others are classified with a remark.

    Attributes
    ----------
    colour : "grey" or "colour", optional
    background : "dark" or "light", optional
        What lies along the edge of an image.
    intensity_range : tuple of float, optional
        The smallest and the largest value of a pixel, as files have them.
    """

    colour: Literal["grey", "colour"] | None = None
    background: Literal["dark", "light"] | None = None
    intensity_range: tuple[float, float] | None = None


class Output(Part):
    """What still has to be done to the model's numbers to make probabilities of them.

    Of several outputs, ``tensor_name`` (a name, or a number from 0) is the one that gives the classes.
    ``ending`` is what the numbers are, as far as the network tells: ``"softmax"``, ``"sigmoid"``, ``"log-softmax"``,
    ``"clipped"``, ``"linear"`` or ``"unknown"``; see `napari_webipred.runtime.ending`.
    """

    activation: Activation = "in-model"
    tensor_name: str | None = None
    ending: str | None = None


class WeightSource(Part):
    """Where a weight file lies."""

    type: SourceType
    record_id: str | None = None
    doi: str | None = None
    repo: str | None = None
    revision: str | None = None
    url: Annotated[str, matching(r"^https?://"), _web_address] | None = None
    file_key: str | None = None
    file_id: str | None = None


def file_size(stated: Any) -> int | None:
    """Return the bytes of a file that a server stated; None if that is no such number."""
    return stated if type(stated) is int and 0 <= stated <= MOST_BYTES else None


class Weights(Part):
    """One file with the model's topology and weights."""

    format: WeightFormat
    source: WeightSource
    entry_point: str | None = None
    size: Annotated[int, between(0, MOST_BYTES)] | None = None
    checksum: Annotated[str, matching(r"^(md5|sha1|sha256|sha512):[0-9a-f]+$")] | None = None


class Author(Part):
    """A person who made the model."""

    name: Words


class Citation(Part):
    """A publication to cite when the model is used."""

    text: Prose
    url: Words | None = None
    doi: Words | None = None


class Base(Part):
    """The published model whose body another model has; only the head is new."""

    name: Annotated[Words, long(1)]
    id: Words | None = None
    doi: Words | None = None
    license: Words | None = None
    checksum: Words | None = None


class FittedTo(Part):
    """What a head was fitted to, as counts: names of files never stand here.

    Attributes
    ----------
    images : int
    of_class : dict of str to int
        How many of them have each class.
    groups : int, optional
        Of how many groups they are, such as patients.
    seed : int
        What the random numbers began with.
    strength : float
        The ``C`` of scikit-learn's `LogisticRegression`.
    calibration : dict, optional
        What was folded into the head; see `napari_webipred.results.calibration.Calibration`.
    """

    images: Annotated[int, between(1)]
    of_class: dict[str, int]
    groups: int | None = None
    seed: int = 0
    strength: float | None = None
    calibration: dict[str, Any] | None = None


class Provenance(Part):
    """Where a card comes from, and what should be known of what it says.

    In JSON only what is set stands there.

    Attributes
    ----------
    source, published, keywords, all_versions
        Where the model was published and when, under which keywords, and the number of all its versions on Zenodo.
    description : str, optional
        ``"bioimage.io"`` if a description for the BioImage Model Zoo is part of the card.
    labels : str, optional
        What names the classes, such as ``labels.txt``; None if the card itself or the user does.
    assumed : tuple of str
        What could only be assumed, or could not be taken from the files, a sentence each.
    notes : tuple of str
        What else the user should know of the model, a sentence each.
    self_test : str, optional
        How the test of the card went.
    origin : str, optional
        What should be known of files that were brought by hand.
    """

    source: Fact = None
    published: Fact = None
    keywords: Sentences = ()
    all_versions: Fact = None
    description: Fact = None
    labels: Fact = None
    assumed: Sentences = ()
    notes: Sentences = ()
    self_test: Fact = None
    origin: Fact = None

    writes_only_what_is_set: ClassVar[bool] = True

    @classmethod
    def before(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Write every text as prose."""
        made: dict[str, Any] = _all_prose(values)
        return made

    @property
    def remarks(self) -> list[str]:
        """What the user should know before trusting a number, a sentence each."""
        return [*self.assumed, *self.notes]


class PartialCard(Part):
    """What one place says about a model: a file beside it, the properties of a file, the network, the user.

    It says the fields that are set, in the words of a card. ``provenance.labels`` is the name of the place if all it
    says of the classes is their names; ``provenance.assumed`` says what could not be taken from there. ``views`` says
    which views of an image mean the same to the model: its mirror image (``"flip"``), or also its quarter turns
    (``"symmetries"``); None is not known. ``tile_ok`` says that the model was made for tiles of larger pictures, or
    tried on such. ``expected_images`` says what the images of its training were like. A model whose head was fitted
    here says whose body it has (``base``), and to what the head was fitted (``fitted_to``).
    `napari_webipred.merge.merge` decides what of it counts.
    """

    schema_version: Literal["1.0"] = "1.0"
    id: Annotated[str, matching(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")] | None = None
    name: Annotated[Words, long(1)] | None = None
    version: Words | None = None
    description: Prose = ""
    task: Task = "multi-class"
    classes: Annotated[tuple[ClassEntry, ...], _in_order] = ()
    input: Input | None = None
    preprocessing: Preprocessing | None = None
    output: Output = Output()
    views: Views | None = None
    tile_ok: bool = False
    expected_images: ExpectedImages | None = None
    weights: tuple[Weights, ...] = ()
    license: Words | None = None
    authors: tuple[Author, ...] = ()
    citations: tuple[Citation, ...] = ()
    record_doi: Words | None = None
    discipline: Words | None = None
    procedure: Words | None = None
    intended_use: Prose | None = None
    limitations: Prose | None = None
    metrics: Annotated[dict[str, Any], _all_prose] = {}  # noqa: RUF012 - each card gets a copy
    test: dict[str, Any] | None = None
    base: Base | None = None
    fitted_to: FittedTo | None = None
    provenance: Provenance = Provenance()

    @property
    def class_names(self) -> list[str]:
        """Names of the classes in the order of the model's outputs."""
        return [entry.name for entry in self.classes]


class ModelCard(PartialCard):
    """Everything about a model but its numbers; the JSON form follows card schema 1.0.

    ``task`` says what the numbers mean: one class for an image (``"multi-class"``), any number of them
    (``"multi-label"``), two classes told apart by one number (``"binary"``), or values (``"regression"``).
    ``thresholds`` is the name of the thresholds that the user has chosen for the classes, instead of the card's own.
    ``classes`` may be empty and ``preprocessing`` None where the source of a model does not say;
    such a model can be opened, but classifies only once the user has told what is missing.
    """

    id: Annotated[str, matching(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
    name: Annotated[Words, long(1)]
    thresholds: Words | None = None

    @property
    def is_local(self) -> bool:
        """Whether this is the card of a user's own file."""
        return any(weights.source.type == "local" for weights in self.weights)

    @property
    def is_unpublished(self) -> bool:
        """Whether this is the card of somebody's own file: of the user, or one that came in a bundle."""
        return any(weights.source.type in {"local", "bundle"} for weights in self.weights)

    @property
    def performance(self) -> dict[str, Any]:
        """How good the model is, as its card says: metrics by name, with intervals as ``NAME_interval``."""
        return dict(self.metrics)

    @property
    def has_probabilities(self) -> bool:
        """Whether what is shown lies between 0 and 1."""
        return self.task != "regression" and self.output.activation != "none"

    @property
    def is_named(self) -> bool:
        """Whether anybody has named the classes."""
        return any(entry.is_named for entry in self.classes)

    def allows(self, views: Views | None) -> bool:
        """Tell whether the card says that these views of an image mean the same to the model."""
        return views is None or self.views in (views, "symmetries")

    def remarks_on(self, views: Views | None) -> list[str]:
        """Say what speaks against classifying these views of an image, a sentence each."""
        if self.allows(views):
            return []
        return [
            f"The card of {self.name} does not say that the views {views} of an image mean the same to the model. "
            "Do not use them if left and right, or up and down, matter."
        ]

    def preprocessing_under(self, profile: Profile | None) -> Preprocessing | None:
        """Return how images are prepared if the user chooses another profile than the card's; None is the card's.

        ``teachable-machine`` replaces all that the card says; the others keep its resize and standardise modes.
        """
        if profile == "teachable-machine":
            return Preprocessing.model_validate({"profile": profile})
        if profile is None or self.preprocessing is None:
            return self.preprocessing
        return self.preprocessing.model_copy(update={"profile": profile})


def read_card(path: Path) -> ModelCard:
    """Read a card from a JSON file.

    Raises
    ------
    CatalogueError
        The file is missing, is not JSON or does not follow the schema; the message names the fields at fault.
    """
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise CatalogueError(f"The model card {path.name} cannot be read: {reason}.", remedy) from error
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise CatalogueError(f"The model card {path.name} is not valid: {places}.") from error
