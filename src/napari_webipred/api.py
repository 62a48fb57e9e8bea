"""The public functions: open a model, classify images, list the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from napari_webipred import engine
from napari_webipred.cache import overrides
from napari_webipred.errors import OptionError, Remedy, WebIPredError
from napari_webipred.execution.plane import prepared_plane
from napari_webipred.imaging.preprocess import Intensity
from napari_webipred.imaging.region import Outside
from napari_webipred.imaging.selection import (
    WHOLE,
    Channel,
    Places,
    Projected,
    Selection,
    colour,
    merge,
    selected,
)
from napari_webipred.imaging.source import Source
from napari_webipred.model import Model
from napari_webipred.steps import result_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from napari_webipred.card import ModelCard, Profile, Views
    from napari_webipred.ensembles.agreement import Agreement
    from napari_webipred.ensembles.ensemble import Method
    from napari_webipred.evaluation.evaluation import Evaluation
    from napari_webipred.explanations.explanation import Explanation
    from napari_webipred.references.reference import Reference

_COMMAND = "In a terminal, `napari-webipred"
REMEDIES: dict[Remedy, str] = {
    "add certificate": "Set the environment variable NAPARI_WEBIPRED_CA_FILE to the certificate file (PEM).",
    "allow slow model": "Pass allow_slow=True to open_model to allow it.",
    "choose cache folder": "Set the environment variable NAPARI_WEBIPRED_CACHE to choose another cache folder.",
    "complete settings": "Pass standardize=, size=, activation= or output= to open_model.",
    "fit reference": "Call fit_reference(images, model).",
    "free space": f"{_COMMAND} cache --limit 1GB` removes the least recently used models.",
    "go online": "Unset the environment variable NAPARI_WEBIPRED_OFFLINE, or turn off Offline in napari's preferences.",
    "import file": f"Or download the file in a browser. {_COMMAND} import FILE --as MODEL` imports it.",
    "install openpyxl": 'Install it: pip install "napari-webipred[excel]"',
    "list models": "list_models() lists all models.",
    "list stored models": f"{_COMMAND} cache` lists the models on this machine.",
    "map classes": "Pass mapping={'old name': 'new name'}.",
    "replace model": f"{_COMMAND} fetch MODEL --replace` replaces it.",
    "set proxy": "Set the environment variable HTTPS_PROXY, such as http://name:password@host:port.",
    "set server address": "Check the environment variables NAPARI_WEBIPRED_ZENODO_URL and HF_ENDPOINT.",
    "write bundle": f"{_COMMAND} bundle MODEL` writes a bundle.",
}


def open_model(
    reference: str | Path,
    *,
    classes: Sequence[str] | None = None,
    standardize: str | None = None,
    size: tuple[int, int] | None = None,
    activation: str | None = None,
    output: str | int | None = None,
    allow_slow: bool = False,
) -> Model:
    """Open a model; one that is not on this machine is downloaded first.

    Parameters
    ----------
    reference : str or Path
        Identifier in the catalogue (``"demo"``), Zenodo record number, DOI or URL, or the path of a model folder,
        topology JSON, zip archive, Keras or ONNX file.
    classes : sequence of str, optional
        Names of the classes in output order, for a model that does not come with them.
    standardize : str, optional
        How pixel values are scaled, for a model whose card does not say so: ``"torch"`` (ImageNet mean and standard
        deviation), ``"tf"`` (-1 to 1), ``"0-1"`` (x / 255), ``"caffe"``, ``"minmax"``, ``"z-score"``,
        ``"grayscale"`` or ``"none"``.
    size : tuple of int, optional
        (width, height) in pixels, for a model that takes any size.
    activation : str, optional
        What turns the outputs into probabilities, if the model does not do so itself: ``"softmax"`` or ``"sigmoid"``;
        ``"none"`` shows the numbers as they are, ``"in-model"`` takes an earlier answer back.
    output : str or int, optional
        Which of several outputs gives the classes: its name, or its number from 0. Needed only where names, sizes and
        the model's card do not decide; the error then lists the outputs.
    allow_slow : bool
        Use a model although it computes very long for each image, a minute or more on one core.

    Returns
    -------
    Model

    Raises
    ------
    SlowModelError
        The model computes very long for an image, and `allow_slow` is not given.
    WebIPredError
        There is no such model, it cannot be fetched, its files cannot be used, or it needs too much memory; or several
        of its outputs could give the classes.

    Examples
    --------
    The model that comes with the program needs no network:

    >>> import napari_webipred as wp
    >>> model = wp.open_model("demo")
    >>> model.classes
    ['sharp', 'blurred', 'noisy', 'overexposed', 'underexposed']
    >>> model.input_shape
    (224, 224, 3)
    """
    from napari_webipred.cache import private_session
    from napari_webipred.opening import opening

    private_session.follow()
    with _remedies_in_notes():
        steps = opening(
            reference,
            classes=classes,
            standardize=standardize,
            size=size,
            activation=activation,
            output=output,
            allow_slow=allow_slow,
        )
        return result_of(steps)


def classify(  # noqa: PLR0913 - each is given by its name
    images: engine.ImageLike | Iterable[engine.ImageLike],
    model: Model | str | Path | Sequence[Model | str | Path],
    *,
    intensity: Intensity | None = None,
    threshold: float | str = 0.5,
    profile: Profile | None = None,
    views: Views | None = None,
    reference: bool = False,
    regions: Any = None,
    outside: Outside = "keep",
    identify: bool = False,
) -> pd.DataFrame:
    """Classify images and return a table.

    Parameters
    ----------
    images : path or array, or an iterable of them
        Image files, folders, or arrays of shape (height, width), (height, width, 3 or 4) or with leading axes.
    model : Model, or anything that `open_model` takes, or a list of these
        Several models classify the same images one after the other.
    intensity : "auto", "dtype", "full", (low, high) or others, optional
        Which intensities become black and white; see `docs/python.md`, also for windows of DICOM files. By default what
        napari's preferences say, which is "auto" if nothing else was chosen there: 8-bit images are taken as they are,
        and DICOM files are displayed as they say.
    threshold : float or str
        From which probability on a multi-label model assigns a class, unless its card says otherwise. Or the name of
        thresholds that were chosen by own labels (`Evaluation.keep`), for any model.
    profile : "webipred", "aucmedi" or "teachable-machine", optional
        The program whose arithmetic prepares the images, if not that of the model's card; see `docs/python.md`.
    views : "flip" or "symmetries", optional
        Test-time augmentation: classify each image and its mirror image, or all eight that turning and mirroring make
        of it. The probabilities are then the means, and columns called ``<class> sd`` behind ``error`` have the
        standard deviations over the views. Use only views that mean the same to the model (``model.card.views``):
        ``table.attrs["notes"]`` says so if the card does not.
    reference : bool
        Measure how far the features of each image lie from the reference images of `fit_reference`: the columns
        ``reference distance`` and ``reference percentile`` (how many percent of them lie nearer) behind ``error``. An
        image at the 99th percentile or above gets a remark.
    regions : sequence, mapping or array, optional
        Parts of each image, which get a row each in place of the whole: boxes (top, left, bottom, right) as in
        ``image[top:bottom, left:right]``, polygons of shape (n, 2) as the layer Shapes of napari has them, a mapping of
        names to these, or a label image of whole numbers, 0 for the background.
    outside : "keep" or "blank"
        Whether what is in the box around a polygon or label, but outside of it, is seen as it is or black.
    identify : bool
        Whether the table has the unique identifiers of DICOM files: ``study``, ``series`` and ``instance``.

    Returns
    -------
    pandas.DataFrame
        A row per image, plane or region: ``image``, axes of stacks, ``region`` if there are any, one float32 column
        per class in the model's order, ``prediction``, ``error``. An image that cannot be read has NaN and an error. A
        model that gives a value has one column for it (``value``, or its name on the card) and an empty ``prediction``.
        For a list of models there is a row for each image and model, with the name of the model in a column ``model``
        before the classes; classes of the same name share a column. See `agreement` and `ensemble`.
        ``table.attrs["remarks"]`` lists what should be known about single rows, such as that an image is blank: pairs
        of a row's number and a text.

    Raises
    ------
    OptionError
        Something is not known that is needed: how pixel values are scaled, the input size, or what makes
        probabilities of the model's numbers.
    Exception
        Whatever an iterable of images raises itself.

    Examples
    --------
    Images may be files, folders or arrays. One that cannot be read costs the others nothing:

    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> noise = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    >>> table = wp.classify([noise, "missing.png"], "demo")
    >>> table["image"].tolist()
    ['array 0', 'missing.png']
    >>> table["prediction"].tolist()
    ['noisy', '']
    >>> table["error"].tolist()
    ['', 'There is no file missing.png. Check the name and the folder.']
    """
    from napari_webipred.references.reference import WEAKNESS
    from napari_webipred.results.columns import Shared, measures, unique
    from napari_webipred.results.table import to_frame

    several = not isinstance(model, (Model, str, Path))
    opened = [_opened(model)] if isinstance(model, (Model, str, Path)) else list(map(_opened, model))
    if isinstance(threshold, str):
        with _remedies_in_notes():
            opened = [each.with_thresholds(overrides.chosen(each.checksum, threshold)) for each in opened]
        threshold = engine.DEFAULTS.threshold
    options = replace(_options(intensity, profile, threshold, views), identify=identify, reference=reference)
    names = unique([each.card.name for each in opened])
    rows, of_rows = [], []
    selection = WHOLE if regions is None else Selection(regions=regions, outside=outside)
    classes = Shared(dict(enumerate(each.classes for each in opened)))
    measured = Shared({i: measures(each.classes, options.as_dict()) for i, each in enumerate(opened)})
    with _remedies_in_notes():
        for number, event in engine.classify_with_each(opened, images, options, selection):
            if isinstance(event, engine.Started):
                axes = event.axes
            elif isinstance(event, engine.RowDone):
                row = event.row
                rows.append(
                    replace(
                        row,
                        probabilities=classes.spread(number, row.probabilities),
                        measures=measured.spread(number, row.measures),
                    )
                )
                of_rows.append(names[number])
    models = of_rows if several else None
    table = to_frame(
        rows,
        classes.names,
        axes,
        regions is not None,
        measures=measured.names,
        models=models,
        identify=identify,
    )
    table.attrs["notes"] = [note for each in opened for note in each.card.remarks_on(views)]
    if reference:
        table.attrs["notes"].append(WEAKNESS)
    if not several:
        table.attrs |= {"classes": opened[0].classes, "task": opened[0].card.task, "checksum": opened[0].checksum}
    return table


def fit_reference(
    images: engine.ImageLike | Iterable[engine.ImageLike],
    model: Model | str | Path,
    *,
    intensity: Intensity | None = None,
    profile: Profile | None = None,
) -> Reference:
    """Fit a reference to images that a model is for, so that `classify` can tell which others are not like them.

    It is kept for the model on this machine, in place of an earlier one: the mean of the features, the inverse of
    their covariance, and the distances of the images; no image and no name.

    Parameters
    ----------
    images : path or array, or an iterable of them
        At least 50 images, best hundreds, of the kind, devices and patients that the model is for.
    model : Model, or anything that `open_model` takes
    intensity, profile
        As for `classify`, which needs the same.

    Returns
    -------
    Reference

    Raises
    ------
    OptionError
        Fewer than 50 images can be read, or all have the same features.
    ModelError
        The network has no features, or too many; or there is no memory for its weights a second time.
    """
    from napari_webipred.references.fitting import fitting

    options = _options(intensity, profile)
    opened = _opened(model)
    with _remedies_in_notes():
        sources = engine.ready_sources(opened, images, options)
        opened.reference = found = result_of(fitting(opened, sources, options))
        return found


def agreement(table: pd.DataFrame, *, mapping: Mapping[str, str] | None = None) -> Agreement:
    """Tell how far several models agree, and on which images they differ most.

    Parameters
    ----------
    table : pandas.DataFrame
        What `classify` returns for a list of models, or the CSV file of the command line, read by pandas.
    mapping : mapping of str to str, optional
        Names of classes that stand for others, where models call the same class differently:
        ``{"PNEUMONIA": "pneumonia"}``. If several classes of a model get one name, their probabilities are added.

    Returns
    -------
    Agreement

    Raises
    ------
    OptionError
        The table is not of several models, they give values, or their classes have different names.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> noise = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    >>> table = wp.classify([noise, noise // 16], ["demo", "demo"])
    >>> table["prediction"].tolist()
    ['noisy', 'underexposed', 'noisy', 'underexposed']
    >>> wp.agreement(table).kappa
    1.0
    """
    from napari_webipred.ensembles.agreement import agreement_of
    from napari_webipred.ensembles.opinions import opinions_in

    with _remedies_in_notes():
        return agreement_of(opinions_in(table, mapping))


def ensemble(
    table: pd.DataFrame,
    method: Method = "mean",
    *,
    weights: Mapping[str, float] | Sequence[float] | None = None,
    mapping: Mapping[str, str] | None = None,
    threshold: float = 0.5,
) -> pd.DataFrame:
    """Make one answer of those of several models.

    Parameters
    ----------
    table, mapping
        As for `agreement`.
    method : "mean", "median", "majority" or "weighted"
        What becomes of the probabilities of a class: their mean; their median, divided by the sum of the medians if
        classes exclude each other; the share of models that assign the class, where of equal shares the one with the
        larger mean is assigned; or their mean with `weights`.
    weights : sequence of float, or mapping of str to float, optional
        For each model, in their order in the table or by their names. Only how large they are to each other counts.
    threshold : float
        From which number on a class is assigned, where an image can have several. Thresholds of single classes that
        cards state do not count here.

    Returns
    -------
    pandas.DataFrame
        A row for each image, as `classify` returns it for one model. An image that a model could not classify has NaN
        and an error.

    Raises
    ------
    OptionError
        As for `agreement`; or the weights do not fit.
    """
    from napari_webipred.ensembles.ensemble import ensemble_of
    from napari_webipred.ensembles.opinions import opinions_in

    with _remedies_in_notes():
        return ensemble_of(opinions_in(table, mapping), method, weights, threshold)


def prepare(
    image: engine.ImageLike,
    model: Model | str | Path,
    plane: int | Sequence[int] | Mapping[str, int] | None = None,
    intensity: Intensity | None = None,
    *,
    profile: Profile | None = None,
) -> NDArray[np.float32]:
    """Return what a model sees of an image: bit for bit the input that `classify` predicts.

    Parameters
    ----------
    image : path or array, or what `select` or `merge_channels` returns
    model : Model, or anything that `open_model` takes
    plane : int, sequence of int, or mapping of str to int, optional
        Which plane of a stack, counted from 0: along its only axis, along all its axes, or by their names, such as
        ``{"t": 0, "z": 12}``.
    intensity, profile
        As for `classify`.

    Returns
    -------
    ndarray of float32, shape (height, width, channels)
        Resized and standardised.

    Raises
    ------
    OptionError
        Something is not known that is needed, or the image has several planes and `plane` does not choose one.
    WebIPredError
        The image cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> stack = np.zeros((60, 128, 128), np.uint16)
    >>> wp.prepare(stack, "demo", plane=12).shape
    (224, 224, 3)
    """
    options = _options(intensity, profile)
    opened = _opened(model)
    with _remedies_in_notes():
        return prepared_plane(engine.chosen_plane(opened, image, plane, options), opened.card, options).tensor


def explain(
    image: engine.ImageLike,
    model: Model | str | Path,
    *,
    classes: Sequence[str] | None = None,
    method: Literal["auto", "cam", "hirescam", "occlusion"] = "auto",
    plane: int | Sequence[int] | Mapping[str, int] | None = None,
    intensity: Intensity | None = None,
    profile: Profile | None = None,
    check: bool = False,
) -> list[Explanation]:
    """Show which parts of an image speak for a class. A map is no localisation.

    Parameters
    ----------
    image : path or array, or what `select` or `merge_channels` returns
    model : Model, or anything that `open_model` takes
    classes : sequence of str, optional
        Names of classes; by default all, the most probable one first.
    method : "auto", "cam", "hirescam" or "occlusion"
        By default an exact CAM if the network is affine after pooling, else HiResCAM if the head consists of known
        operations, else occlusion, which predicts the image about 200 times. See `Explanation`.
    plane, intensity, profile
        As for `prepare`.
    check : bool
        Compare each map with occlusion, and note how far they agree (`Explanation.agreement`).

    Returns
    -------
    list of Explanation
        One for each class, in the order of `classes`.

    Raises
    ------
    OptionError
        There is no such class or method, or the method does not fit the network.
    WebIPredError
        The image cannot be read, or there is no memory for it.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> noise = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    >>> best = wp.explain(noise, "demo")[0]
    >>> best.class_name, best.method, best.grid.shape, best.map.shape
    ('noisy', 'cam', (14, 14), (128, 128))
    """
    from napari_webipred.explanations.explaining import explainer_of

    options = _options(intensity, profile)
    opened = _opened(model)
    with _remedies_in_notes():
        shown = engine.chosen_plane(opened, image, plane, options)
        return explainer_of(opened).explain(shown, options, classes, method, check=check)


def evaluate(
    table: pd.DataFrame | str | Path,
    truth: pd.DataFrame | Mapping[str, Any] | str | Path | None,
    *,
    group: str | None = None,
    ordinal: bool = False,
    thresholds: str | None = None,
    calibrate: bool = False,
    draws: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Tell how well a model does on images whose classes are known, with 95 % intervals.

    Parameters
    ----------
    table : DataFrame or path
        What `classify` returns, or a CSV file of results.
    truth : DataFrame, mapping or path, or None
        A table or CSV file with a column for the image and one for its label (or one with 0 and 1 for each class), or a
        mapping of images to labels. None takes the names of the folders that the images lie in.
    group : str, optional
        Name of a column of either table that says which images belong together, such as a patient's. Intervals then
        count groups, not images. Planes and regions of the same image always belong together.
    ordinal : bool
        Whether the classes have an order, such as grades of a disease.
    thresholds : str, optional
        How thresholds are chosen, if they are to be: ``"youden"``, ``"sensitivity=0.95"``, ``"specificity=0.9"`` or
        ``"cost=5"`` (a missed image costs as much as five false alarms).
    calibrate : bool
        Whether to calibrate the probabilities: a temperature for classes that exclude each other, else Platt's method.
    draws, seed : int
        How often the cohort is resampled for intervals, and what the random numbers begin with.

    Returns
    -------
    Evaluation
        ``summary``, ``confusion`` and ``unmatched`` are data frames; ``save(folder)`` writes files.

    Raises
    ------
    OptionError
        Something cannot be read, or no row has a label.

    Examples
    --------
    >>> import pandas as pd
    >>> import napari_webipred as wp
    >>> table = pd.DataFrame({"image": ["a.png", "b.png", "c.png"], "cat": [0.9, 0.2, 0.6], "dog": [0.1, 0.8, 0.4]})
    >>> found = wp.evaluate(table, {"a.png": "cat", "b.png": "dog", "c.png": "dog"})
    >>> found.confusion.loc["dog", "cat"].item()
    1
    >>> accuracy = found.metric("accuracy")
    >>> round(accuracy.value, 2), round(accuracy.low, 2), round(accuracy.high, 2)
    (0.67, 0.21, 0.94)
    """
    from napari_webipred.evaluation.evaluation import evaluated
    from napari_webipred.evaluation.given import cohort_of

    with _remedies_in_notes():
        cohort, made = cohort_of(table, truth, group, ordinal=ordinal)
        return evaluated(cohort, draws, seed, made, rule=thresholds, calibrate=calibrate)


def select(
    image: engine.ImageLike,
    *,
    axes: Sequence[str] | None = None,
    planes: Mapping[str, Places] | None = None,
    channels: int | Sequence[int] | None = None,
    colours: Sequence[str | Sequence[float]] | None = None,
    projection: Mapping[str, Projected] | None = None,
) -> Source:
    """Choose what of a stack is classified; `classify` and `prepare` take the result as an image.

    Parameters
    ----------
    image : path or array, or what `select` or `merge_channels` returns
    axes : sequence of str, optional
        Names of the leading axes, in order, such as ``"tcz"`` or ``["time", "c"]``.
    planes : mapping of str to int, slice or range, optional
        Which places along axes, counted from 0: ``{"t": 0, "z": slice(None, None, 5)}`` takes every fifth plane along z
        at the first time. Of an axis that is projected, those that count.
    channels : int or sequence of int, optional
        Which channels along the axis ``c`` (or ``channel``, ``channels``). One channel is grey; several are merged to
        one colour image, each from its own smallest to its largest value of the plane unless it is 8-bit.
    colours : sequence of str or of three numbers, optional
        A colour for each channel: a name such as ``"magenta"``, ``"#RRGGBB"``, or red, green and blue from 0 to 1.
    projection : mapping of str to "max" or "mean", optional
        Axes of which all planes become one.

    Returns
    -------
    Source
        The image as plain data; no pixel is read yet.

    Raises
    ------
    OptionError
        There is no such axis, place, channel or colour.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> stack = np.zeros((3, 20, 128, 128), np.uint16)
    >>> part = wp.select(stack, axes="tz", planes={"t": slice(2)}, projection={"z": "max"})
    >>> wp.classify(part, "demo")[["t", "prediction"]].values.tolist()
    [[0, 'underexposed'], [1, 'underexposed']]
    """
    numbers = [channels] if isinstance(channels, int) else channels
    with _remedies_in_notes():
        selection = Selection(
            planes=planes or {},
            channels=None if numbers is None else tuple(numbers),
            colours=None if colours is None else tuple(map(colour, colours)),
            projection=projection or {},
        )
        return selected(engine.one_source(image, axes, channels is not None), selection)


def merge_channels(
    images: Sequence[engine.ImageLike],
    colours: Sequence[str | Sequence[float]],
    *,
    ranges: Sequence[tuple[float, float] | None] | None = None,
    name: str = "merged",
) -> Source:
    """Make one colour image of several grey images; `classify` and `prepare` take it as an image.

    Parameters
    ----------
    images : sequence of paths or arrays, or of what `select` returns
        Of the same size, with the same axes.
    colours : sequence of str or of three numbers
        A colour for each; see `select`.
    ranges : sequence of (low, high) or None, optional
        The intensities of each image that become black and its whole colour. By default each plane has its own, as with
        ``intensity="auto"``.
    name : str
        What the image is called in the table.

    Returns
    -------
    Source
        The image as plain data; no pixel is read yet.

    Raises
    ------
    OptionError
        The images have different axes, or the numbers of images, colours and ranges differ.
    """
    given = list(ranges) if ranges is not None else [None] * len(images)
    if not len(images) == len(colours) == len(given):
        raise OptionError(
            f"There are {len(images)} images, {len(colours)} colours and {len(given)} ranges.",
            "Give a colour, and a range if any, for each image.",
        )
    with _remedies_in_notes():
        parts = [
            Channel(engine.one_source(image), colour(own), limits)
            for image, own, limits in zip(images, colours, given, strict=True)
        ]
        return merge(name, parts)


def list_models(search: str = "", *, discipline: str | None = None, procedure: str | None = None) -> list[ModelCard]:
    """List the models of the catalogue; no network is used.

    Parameters
    ----------
    search : str
        Words that must all occur in the card, in any case.
    discipline, procedure : str, optional
        Only models of this medical discipline or procedure, such as ``"Radiology"`` or ``"X-ray"``.

    Returns
    -------
    list of ModelCard
        The model that comes with the program first.

    Examples
    --------
    >>> import napari_webipred as wp
    >>> wp.list_models()[0].id
    'demo'
    >>> [card.id for card in wp.list_models("chest x-ray")]
    ['webipred-16']
    """
    from napari_webipred.cache import index, private_session

    private_session.follow()
    return index.search(search, discipline, procedure)


def _opened(model: Model | str | Path) -> Model:
    return model if isinstance(model, Model) else open_model(model)


def _options(
    intensity: Intensity | None,
    profile: Profile | None,
    threshold: float = engine.DEFAULTS.threshold,
    views: Views | None = None,
) -> engine.Options:
    """Return the options of a call; the preferred intensity counts where none is given."""
    chosen = engine.preferred_intensity() if intensity is None else intensity
    return engine.Options(intensity=chosen, threshold=threshold, profile=profile, views=views)


@contextmanager
def _remedies_in_notes() -> Iterator[None]:
    """Add what helps in Python to an error, as notes, which tracebacks show."""
    try:
        yield
    except WebIPredError as error:
        for remedy in error.remedies:
            error.add_note(REMEDIES[remedy])
        raise
