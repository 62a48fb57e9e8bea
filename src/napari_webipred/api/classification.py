"""Classify images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from msgspec.structs import replace

from napari_webipred import engine
from napari_webipred.api.models import model_of
from napari_webipred.api.options import options_of
from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.cache import overrides
from napari_webipred.card import Profile, Views
from napari_webipred.errors import OptionError
from napari_webipred.execution.cluster.executor import Cluster
from napari_webipred.execution.threads import classify_planes
from napari_webipred.hardware import Device, Precision
from napari_webipred.imaging.preprocess import Intensity
from napari_webipred.imaging.region import Outside
from napari_webipred.imaging.selection import (
    WHOLE,
    Selection,
)
from napari_webipred.model import Model
from napari_webipred.model_overrides import conditions

if TYPE_CHECKING:
    from distributed import Client
else:
    Client = Any  # Dask is an extra


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
    memory: int | str | None = None,
    precision: Precision | None = None,
    device: Device | None = None,
    client: Client | None = None,
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
    memory : int or str, optional
        How many bytes all images together may take that are read at the same time, also as ``"8GB"``: the others wait.
        By default a quarter of the computer's memory. It changes no number.
    precision : "float32" or "bf16", optional
    device : "cpu", "cuda", "directml", "coreml" or "auto", optional
        What computes the model, if the installed ONNX Runtime can use it; by default what the preferences say, else
        float32 on the processor. ``"auto"`` is the graphics card if one can be used. All but float32 on the processor
        gives other numbers: ``table.attrs["notes"]`` says how far they were from those on ten test images.
    client : distributed.Client, optional
        Of a cluster of Dask Distributed, whose workers classify the images; see `docs/clusters.md`. They must see image
        files under the same paths. Arrays are sent to them. It stays open.

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
        probabilities of the model's numbers. Or a worker of the cluster has other versions than this computer, or the
        cluster is lost.
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
    from napari_webipred.results.columns import Shared, measures, unique
    from napari_webipred.results.table import to_frame

    several = not isinstance(model, (Model, str, Path))
    opened = [model_of(model)] if isinstance(model, (Model, str, Path)) else list(map(model_of, model))
    if not opened:
        raise OptionError("There is no model in the list.", "Give one at least.")
    if regions is None and outside != "keep":
        raise OptionError(f"outside={outside!r} is about regions.", "Give regions, too.")
    number = engine.DEFAULTS.threshold if isinstance(threshold, str) else threshold
    options = options_of(intensity, profile, number, views, precision, device)
    options = replace(options, identify=identify, reference=reference, memory=memory)
    said = options.as_dict()
    if isinstance(threshold, str):
        with remedies_in_notes():
            opened = [each.with_thresholds(overrides.chosen(each.checksum, threshold), said) for each in opened]
    names = unique([each.card.name for each in opened])
    rows, of_rows, apart = [], [], list[str]()
    selection = WHOLE if regions is None else Selection(regions=regions, outside=outside)
    classes = Shared(dict(enumerate(each.classes for each in opened)))
    measured = Shared({i: measures(each.classes, said) for i, each in enumerate(opened)})
    with remedies_in_notes():
        executor = classify_planes if client is None else Cluster(client)
        for number, event in engine.classify_with_each(opened, images, options, selection, executor):
            if isinstance(event, engine.Started | engine.Recounted):
                axes = event.axes
                if isinstance(event, engine.Started) and event.difference is not None:
                    apart.append(event.difference.sentence(names[number]))
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
        regions is not None or any(row.region for row in rows),  # sources may have regions of their own
        measures=measured.names,
        models=models,
        identify=identify,
    )
    table.attrs["notes"] = [note for each in opened for note in each.card.remarks_on(views)] + apart
    if reference:
        table.attrs["notes"] += dict.fromkeys(each.reference.weakness for each in opened if each.reference)
    if not several:
        table.attrs |= {"classes": opened[0].classes, "task": opened[0].card.task, "checksum": opened[0].checksum}
        table.attrs |= {"options": said, "conditions": conditions(opened[0].card, said)}
    return table
