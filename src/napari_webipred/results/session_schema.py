"""What may stand in the lines of a session file."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainValidator, TypeAdapter, model_validator

from napari_webipred.card import ModelCard, Profile, Views
from napari_webipred.hardware import Device, Precision

LONGEST = 100_000  # characters of a text or name
MOST_CLASSES = 100_000  # in an answer

Text = Annotated[str, Field(max_length=LONGEST)]
Name = Annotated[str, Field(max_length=LONGEST)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Place = Annotated[int, Field(ge=0, lt=2**53)]
Whole = Annotated[int, Field(gt=-(2**53), lt=2**53)]
Range = tuple[Number, Number]
Window = Annotated[str, Field(pattern=r"^window .{1,64}$")]  # of a DICOM file
Intensity = Literal["auto", "dtype", "plane", "stack", "percentiles", "limits"] | Window | Range
Threshold = Annotated[float, Field(ge=0, le=1)]
Places = tuple[Place, Place, Annotated[int, Field(ge=1)]]
Step = (
    tuple[Literal["planes"], tuple[tuple[Name, Places], ...]]
    | tuple[Literal["project"], Name, Literal["max", "mean"], Places]
    | tuple[Literal["channel"], Name, Place]
    | tuple[Literal["merge"], Name, tuple[Place, ...], tuple[tuple[Number, Number, Number], ...]]
)


class Part(BaseModel):
    """A part of the file. What a newer program adds to it is ignored."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class Form(Part):
    """The settings of the form."""

    model: Name | None = None
    model_is_path: bool | None = None
    planes: Name | None = None
    intensity: Intensity | None = None
    threshold: Threshold | None = None
    thresholds: Name | None = None
    profile: Profile | None = None
    views: Views | None = None
    precision: Precision | None = None
    device: Device | None = None


class Head(Part):
    """The first line."""

    format: str
    version: int
    form: Form


class Options(Part):
    """The options of a run."""

    intensity: Intensity = "auto"
    threshold: Threshold = 0.5
    profile: Profile | None = None
    views: Views | None = None
    reference: bool | dict[Name, JsonValue] = False
    precision: Precision = "float32"
    device: Device = "cpu"
    difference: dict[Name, float | Name] | None = None


class Settings(Part):
    """What the user has set for a model; the arguments of `napari_webipred.open_model`."""

    classes: tuple[Name, ...] | None = None
    standardize: Name | None = None
    size: tuple[Place, Place] | None = None
    activation: Name | None = None
    output: Name | None = None
    allow_slow: bool | None = None


class Model(Part):
    """See `napari_webipred.results.inputs.ModelInput`."""

    reference: Name
    is_path: bool = False
    settings: Settings = Settings()


class Calibration(Part):
    """See `napari_webipred.results.calibration.Calibration`."""

    method: Literal["temperature", "platt"]
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    slopes: tuple[Number, ...] = ()
    offsets: tuple[Number, ...] = ()
    folds: Place = 0
    seed: Place = 0
    before: dict[Name, Number] = {}
    after: dict[Name, Number] = {}

    @model_validator(mode="after")
    def _complete(self) -> Calibration:
        if self.method == "temperature" and self.temperature is None:
            raise ValueError("a temperature is missing")
        return self


class Ensemble(Part):
    """How the rows of a run were made of those of others."""

    method: Literal["mean", "median", "majority", "weighted"]
    models: tuple[Name, ...]
    weights: dict[Name, Number] | None = None
    checksums: dict[Name, Name] = {}
    mapping: dict[Name, dict[Name, Name]] | None = None


class Run(Part):
    """A run, before its images and rows."""

    begun: datetime
    card: Annotated[ModelCard, PlainValidator(ModelCard.model_validate)]
    checksum: Annotated[str, Field(max_length=200)]
    options: Options
    axes: tuple[Name, ...]
    total: Place
    model: Model
    calibration: Calibration | None = None
    ensemble: Ensemble | None = None

    @model_validator(mode="after")
    def _fits(self) -> Run:
        found, classes = self.calibration, len(self.card.classes)
        if found and found.method == "platt" and not classes == len(found.slopes) == len(found.offsets):
            raise ValueError("its calibration has another number of classes")
        return self


class PlainImage(Part):
    """An image without its parts."""

    name: Name
    layer: Name
    path: Name | None = None
    shape: tuple[Place, ...] = ()
    dtype: Annotated[str, Field(max_length=100)] = ""
    rgb: bool = False
    axes: tuple[Name, ...] = ()
    colours: Place | None = None
    scale: tuple[Number, ...] = ()
    intensity_range: Range | None = None
    steps: tuple[Step, ...] | None = ()
    instances: Annotated[str, Field(max_length=64)] = ""


class LayerParts(Part):
    """What a layer consists of: a series of files."""

    steps: tuple[Step, ...]
    files: tuple[Name, ...] = ()


class LayerImage(PlainImage):
    """What was taken of a layer that was merged with others."""

    parts: LayerParts | None = None


class Channel(Part):
    """See `napari_webipred.results.inputs.ChannelInput`."""

    image: LayerImage
    colour: tuple[Number, Number, Number]
    range: Range | None = None


class Region(Part):
    """See `napari_webipred.results.inputs.RegionInput`."""

    name: Name
    box: tuple[Whole, Whole, Whole, Whole]
    index: tuple[Place, ...] | None = None
    outline: tuple[tuple[Number, Number], ...] | None = None
    masked: bool = False


class ImageParts(LayerParts):
    """See `napari_webipred.results.inputs.Parts`."""

    channels: tuple[Channel, ...] = ()
    regions: tuple[Region, ...] | None = None
    left_out: bool = False


class Image(PlainImage):
    """See `napari_webipred.results.inputs.ImageInput`."""

    parts: ImageParts | None = None


class Said(Part):
    """See `napari_webipred.results.reading.Reading`."""

    classes: Annotated[tuple[Name, ...], Field(max_length=MOST_CLASSES)] = ()
    comment: Text = ""
    time: datetime


class Rows(Part):
    """Some rows of the last run, a list for each column; texts only where there are any, by their place."""

    source: tuple[Place, ...]
    position: tuple[tuple[tuple[Name, Place], ...], ...]
    intensity_range: tuple[Range | None, ...]
    probabilities: str
    measures: str = ""
    error: dict[int, Text] = {}
    region: dict[int, Text] = {}
    reading: dict[int, Text] = {}
    remark: dict[int, Text] = {}
    comment: dict[int, Text] = {}
    reader: dict[int, Said] = {}
    assigned: dict[int, tuple[Place, ...]] = {}


IMAGES: TypeAdapter[list[Image]] = TypeAdapter(list[Image])
