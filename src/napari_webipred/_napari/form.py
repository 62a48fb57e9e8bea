"""Steps 1 to 3 of the panel as a form, which a script can fill in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_type_hints

from magicgui.widgets import ComboBox, Container, create_widget
from msgspec.structs import replace
from qtpy.QtWidgets import QWidget

from napari_webipred._napari.images.image_choice import ImageChoice
from napari_webipred._napari.images.image_item import axes_of_item, counts_of, sources_of, stacked_axes, told_apart
from napari_webipred._napari.images.layer_input import image_inputs
from napari_webipred._napari.images.layers import shown_range
from napari_webipred._napari.images.place import Target, hides_planes
from napari_webipred._napari.images.plane_choice import PlaneChoice
from napari_webipred._napari.images.understanding import sliced_axis
from napari_webipred._napari.intensity.intensity import IntensityChoice
from napari_webipred._napari.models.model_choice import ModelChoice
from napari_webipred._napari.regions.region_choice import OutsideChoice, RegionChoice, things
from napari_webipred._napari.regions.region_finder import RegionFinder
from napari_webipred._napari.threshold_choice import ThresholdChoice
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.value_widget import QtValueWidget, choice_of, fit, offer
from napari_webipred.errors import OptionError
from napari_webipred.imaging.source import Source
from napari_webipred.options import DEFAULTS, Options

if TYPE_CHECKING:
    from napari_webipred.model_overrides import Thresholds

PROFILES = {
    None: "Model default",
    "webipred": "WebIPred",
    "aucmedi": "AUCMEDI",
    "teachable-machine": "Teachable Machine",
}
DEVICES = {
    "cpu": "processor",
    "auto": "graphics card, if one can be used",
    "cuda": "graphics card (CUDA)",
    "directml": "graphics card (DirectML)",
    "coreml": "Core ML",
}
PRECISIONS = {"float32": "32 bits (float32)", "bf16": "16 bits (bf16)"}
VIEWS = {None: "the image alone", "flip": "image and mirror image", "symmetries": "all 8, turned and mirrored"}
NO_PLANE = "No plane of the selected images is in the range."
NO_REGION = "No region lies in the selected images."
BY_NUMBER, MOST_PROBABLE = "this number", "the most probable class"


class ClassifyForm(Container):
    """Which model classifies which images, and how; calling the form classifies.

    Each choice is a widget of magicgui with ``value``, ``changed`` and, where layers or models are listed,
    ``reset_choices``:

    ``model``
        Identifier of the model, or the path of the user's own file; None if none is chosen. A DOI, URL, file or
        folder can be set, too.
    ``images``
        List of the image layers of the viewer, of merged layers, and of files.
    ``planes``
        ``"all"`` planes of a stack, the ``"current"`` one, or a slice such as ``slice(0, 60, 5)`` along z.
    ``regions``
        A Shapes or Labels layer of the viewer, whose regions are classified; None classifies whole images.
    ``outside``
        ``"keep"`` or ``"blank"`` pixels outside a region and in the box around it: seen as they are, or black.
    ``intensity``, ``threshold``, ``profile``, ``views``, ``reference``, ``device``, ``precision``
        As in `napari_webipred.classify`.
    ``thresholds``
        The name of thresholds that were kept for the model, which count in place of the number; None for the number.

    """

    def __init__(self, viewer: Any, session: ViewerSession, theme: Theme) -> None:
        self._viewer = viewer
        self._session = session
        types = get_type_hints(Options)
        super().__init__(
            widgets=[
                QtValueWidget(lambda: ModelChoice(session, theme), "model"),
                QtValueWidget(lambda: ImageChoice(viewer, session.images, theme), "images"),
                QtValueWidget(PlaneChoice, "planes"),
                QtValueWidget(lambda: RegionChoice(viewer), "regions"),
                QtValueWidget(OutsideChoice, "outside"),
                QtValueWidget(lambda: IntensityChoice(theme), "intensity"),
                QtValueWidget(ThresholdChoice, "threshold"),
                fit(
                    ComboBox(
                        name="thresholds",
                        nullable=True,
                        tooltip="Thresholds that you have kept for this model, see Evaluation",
                    ),
                ),
                fit(
                    choice_of(
                        types["profile"],
                        PROFILES,
                        "profile",
                        DEFAULTS.profile,
                        tooltip="Prepare the images exactly as this program does",
                    ),
                ),
                fit(
                    choice_of(
                        types["views"],
                        VIEWS,
                        "views",
                        DEFAULTS.views,
                        tooltip="Classify several views of each image, and take the mean",
                    ),
                ),
                fit(
                    choice_of(
                        types["device"],
                        DEVICES,
                        "device",
                        DEFAULTS.device,
                        tooltip="What computes the model; a graphics card gives slightly other numbers",
                    ),
                ),
                fit(
                    choice_of(
                        types["precision"],
                        PRECISIONS,
                        "precision",
                        DEFAULTS.precision,
                        tooltip="With how many bits the model is computed; 16 are faster and less exact",
                    ),
                ),
                create_widget(
                    annotation=types["reference"],
                    name="reference",
                    value=DEFAULTS.reference,
                    options={
                        "text": "Compare with the reference images",
                        "tooltip": "Say how far each image lies from the reference images, and remark those that are "
                        "unlike them",
                    },
                ),
            ],
            labels=False,
        )
        self.finder = RegionFinder(self.native)
        self.changed.connect(self._look)
        self.planes.changed.connect(self.images.native.layers.show_planes)
        self.offer_kept()

    def __call__(self) -> None:
        """Classify the images, as a click on *Classify* does, and return at once.

        If the model is not ready yet, the images are classified as soon as it is; a model that is not on this machine
        is downloaded. The rows come after those of the runs before.

        Raises
        ------
        OptionError
            Something is missing or cannot be used.
        """
        self._check()
        self.finder.when_found(self._begin)

    def _begin(self) -> None:
        """Classify; the regions are known."""
        targets, sources = self.sources()
        images = image_inputs(targets, sources)
        self._session.classify(targets, sources, self.options(), images, self.finder.used(), self.kept_thresholds())

    def _look(self) -> None:
        """Find the regions of the chosen images."""
        targets = [] if self.regions.value is None else [target for target, _ in self._whole()]
        self.finder.look(self.regions.value, targets, self.outside.value == "blank")

    def _check(self) -> None:
        loading = self._session.loading
        if self._session.running:
            raise OptionError("Classification is running.", "Wait, or cancel it.")
        if self.model.value is None:
            raise OptionError("No model is chosen.", "Choose one in the list, or set form.model.value.")
        if loading.error is not None:
            raise loading.error
        if loading.needs_settings:
            raise OptionError("Some settings of the model are missing.", "Fill them in first.")
        self.check_thresholds()
        if not self.images.value:
            self._check_files()
            raise OptionError("No image is selected.", "Open an image, or select one in the list.")
        if self.finder.error is not None:
            raise self.finder.error
        if not self.finder.searching and not self.plane_count():
            if self.regions.value is None:
                raise OptionError(NO_PLANE, "Choose other planes.")
            raise OptionError(NO_REGION, "Draw some on them, or choose other planes.")

    def _check_files(self) -> None:
        finding = [entry for entry in self._session.images.files if entry.finding]
        if finding:
            raise OptionError(f"The images of {finding[0].name} are still being found.", "Wait until they are listed.")

    def sources(self) -> tuple[list[Target], list[Source]]:
        """Return what is classified of the chosen images, and what the rows are about; no pixel is touched."""
        pairs = told_apart(self._whole())
        limits = self.intensity.value == "limits"
        sources = [with_limits(target, source) if limits else source for target, source in pairs]
        if self.regions.value is not None:
            found = [search.regions for search in self.finder.searches(len(pairs))]
            sources = [replace(source, regions=regions) for source, regions in zip(sources, found, strict=True)]
        return [target for target, _ in pairs], sources

    def _whole(self) -> list[tuple[Target, Source]]:
        """Return the chosen images without regions."""
        images, planes = self._session.images, self.planes.value
        return [pair for item in self.images.value for pair in sources_of(item, images, planes, self._viewer.dims)]

    def stack_lengths(self) -> list[int]:
        """Return how many planes the chosen stacks have along the axis that a range of planes counts along."""
        images = self._session.images
        axes = [stacked_axes(item, images) for item in self.images.value]
        return [each[place].length for each in axes if (place := sliced_axis(each)) is not None]

    def hides_planes(self) -> bool:
        """Tell whether the viewer shows a chosen stack so that no plane of it is seen."""
        targets = [target for target, _ in self._whole() if target.source is None]
        return any(hides_planes(layer, self._viewer.dims, each.axes) for each in targets for layer in each.layers)

    def follows_slider(self) -> bool:
        """Tell whether it depends on the plane that the viewer shows what is classified."""
        axes = [axis for item in self.images.value for axis in axes_of_item(item, self._session.images)]
        return self.planes.value == "current" or any(axis.use == "current" for axis in axes)

    def counts(self) -> tuple[int, int]:
        """Count the images, and the planes or regions of planes, that will be classified."""
        if self.regions.value is not None:
            sources = self.sources()[1]
            return len(sources), sum(map(len, sources))
        images, planes, dims = self._session.images, self.planes.value, self._viewer.dims
        counts = [counts_of(item, images, planes, dims) for item in self.images.value]
        return sum(count for count, _ in counts), sum(count for _, count in counts)

    def plane_count(self) -> int:
        """Count the planes, or regions of planes, that will be classified."""
        return self.counts()[1]

    def regions_in_words(self) -> str:
        """Say how many rows the regions give, ``12 shapes × 60 planes = 720 rows``, or why they give none."""
        finder = self.finder
        if finder.error is not None:
            return str(finder.error)
        if finder.searching:
            return "Looking for the regions…"
        sources = self.sources()[1]
        searches = finder.searches(len(sources))
        left_out = dict.fromkeys(fault for search in searches for fault in search.left_out)
        names = [{region.name for region in search.regions} for search in searches]
        count = things(self.regions.value, max(map(len, names), default=0))
        planes = sum(len(replace(source, regions=None)) for source in sources)
        rows = sum(map(len, sources))
        if planes > 1:
            alike = all(region.index is None for search in searches for region in search.regions)
            noun = "planes" if planes > len(sources) else "images"
            count += f" × {planes:,} {noun}" if alike else f" on {planes:,} {noun}"
        return " ".join([f"{count} = {rows:,} row{'s' * (rows != 1)}.", *left_out])

    def options(self) -> Options:
        """Return the options of a run: those that the form has a widget for."""
        return Options(**{widget.name: widget.value for widget in self if widget.name in Options.__struct_fields__})

    def kept_thresholds(self) -> Thresholds | None:
        """Return the thresholds that are chosen by their name, if some are."""
        return self._session.kept.thresholds.get(self.thresholds.value)

    def check_thresholds(self) -> None:
        """Refuse kept thresholds that do not go with the model or the options."""
        model = self._session.loading.model
        if (kept := self.kept_thresholds()) is not None and model is not None:
            kept.applied_to(model.card, self.options().as_dict())

    def offer_kept(self) -> None:
        """Offer the thresholds that are kept for the model, beside the number."""
        model, kept, before = self._session.loading.model, self._session.kept.thresholds, self.thresholds.value
        chosen = self._session.kept.chosen(before)
        by_number = model is None or model.card.task == "multi-label"
        choices: dict[str | None, str] = {
            None: BY_NUMBER if by_number else MOST_PROBABLE,
            **{name: name for name in kept},
        }
        offer(self.thresholds, choices, chosen)
        if self.thresholds.value != before:
            self.thresholds.changed.emit(self.thresholds.value)

    def reset_choices(self, *_: Any) -> None:
        """List the layers again; ``form.model.reset_choices()`` reads the models again."""
        self.images.reset_choices()
        self.regions.reset_choices()

    def lay_out(self, sections: Sequence[QWidget]) -> None:
        """Show these widgets, which contain those of the form."""
        layout = self.native.layout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        for section in sections:
            layout.addWidget(section)


def with_limits(target: Target, source: Source) -> Source:
    """Let the contrast limits of a layer be black and white; merged layers have theirs, files none."""
    layers = target.layers if target.source is None else []
    return replace(source, intensity_range=shown_range(layers[0])) if len(layers) == 1 else source
