"""Open a model, and list those of the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.card import ModelCard
from napari_webipred.model import Model
from napari_webipred.steps import result_of


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
    with remedies_in_notes():
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


def model_of(given: Model | str | Path) -> Model:
    """Return a model as it was given, or open what was named."""
    return given if isinstance(given, Model) else open_model(given)
