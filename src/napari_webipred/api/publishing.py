"""Publish a model, and check its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.model import Model
from napari_webipred.publishing.deposit import Deposit
from napari_webipred.publishing.verification import Verification
from napari_webipred.steps import result_of


def pack(
    model: str | Path | Model,
    folder: str | Path,
    *,
    card: Mapping[str, Any] | None = None,
    evaluation: str | Path | None = None,
    verify: bool = True,
    node_packages: str | Path | None = None,
    overwrite: bool = False,
) -> Deposit:
    """Make a folder of a model that is ready for Zenodo, laid out as the records of WebIPred. Nothing is uploaded.

    Parameters
    ----------
    model : Model, str or Path
        As `open_model` returns or takes it.
    folder : str or Path
        A new or an empty folder.
    card : mapping, optional
        Fields of a model card that count instead of those of the model: ``name``, ``description``, ``authors``
        (``[{"name": "Family, Given", "affiliation": ..., "orcid": ...}]``), ``license``, ``intended_use``,
        ``limitations``, ``citations`` (``[{"text": ..., "doi": ...}]``), ``discipline``, ``procedure``, ``version``.
    evaluation : str or Path, optional
        A folder that an evaluation was saved to; metrics and charts are taken from it, no names of images.
    verify : bool
        Whether the numbers are compared with those of TensorFlow or TensorFlow.js, where these are installed.
    node_packages : str or Path, optional
        The folder whose ``node_modules`` has the package ``@tensorflow/tfjs``.
    overwrite : bool
        Whether an earlier deposit in the folder is replaced.

    Returns
    -------
    Deposit
        ``items`` lists what there is and what is missing, ``missing`` what has to be added before it can be published,
        ``verifications`` the comparisons.

    Raises
    ------
    WebIPredError
        The folder holds other files, or the model cannot be published as it is.

    Examples
    --------
    >>> import tempfile
    >>> import napari_webipred as wp
    >>> with tempfile.TemporaryDirectory() as place:
    ...     deposit = wp.pack("demo", f"{place}/deposit", verify=False)
    >>> deposit.missing
    ()
    >>> deposit.card.license
    'BSD-3-Clause'
    """
    from napari_webipred.publishing import folder as folders
    from napari_webipred.publishing.deposit import Wishes, packing
    from napari_webipred.publishing.material import preparing
    from napari_webipred.publishing.said import said_in

    with remedies_in_notes():
        folders.check(Path(folder), overwrite=overwrite)
        said = said_in(None, card or {})
        wishes = Wishes(said, None if evaluation is None else Path(evaluation), verify, _path(node_packages))
        deposit = result_of(packing(result_of(preparing(model)), wishes))
        folders.write(Path(folder), deposit.files, overwrite=overwrite)
        return deposit


def verify(model: str | Path | Model, *, node_packages: str | Path | None = None) -> Verification:
    """Compare the numbers of a model with those of the program that it was made for, for the same synthetic pictures.

    A Keras file or SavedModel is compared with TensorFlow, a model for TensorFlow.js with that. Both run in a process
    of their own; TensorFlow gets no model with code in it.

    Parameters
    ----------
    model : Model, str or Path
        As `open_model` returns or takes it.
    node_packages : str or Path, optional
        The folder whose ``node_modules`` has the package ``@tensorflow/tfjs``; by default Node looks where NODE_PATH
        says.

    Returns
    -------
    Verification
        ``passed``, ``largest`` (difference), ``ours`` and ``theirs``: float32 (pictures, classes), ``judge``.

    Raises
    ------
    WebIPredError
        The other program is not installed, refuses the model, or there is none for its format.
    """
    from napari_webipred.publishing.material import preparing
    from napari_webipred.publishing.verification import verifying

    with remedies_in_notes():
        return result_of(verifying(result_of(preparing(model)), _path(node_packages)))


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)
