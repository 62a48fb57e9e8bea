"""From a table of results and known classes, as users have them, to a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_webipred import file_errors
from napari_webipred.checksums import sha256_of
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import predictions, truth
from napari_webipred.evaluation.cohort import Cohort
from napari_webipred.evaluation.joining import joined
from napari_webipred.model_overrides import recorded_conditions

if TYPE_CHECKING:
    import pandas as pd


def cohort_of(
    table: pd.DataFrame | str | Path,
    known: pd.DataFrame | Mapping[str, Any] | str | Path | None,
    group: str | None = None,
    *,
    ordinal: bool = False,
) -> tuple[Cohort, dict[str, Any]]:
    """Put results and known classes together.

    Parameters
    ----------
    table : DataFrame or path of a CSV file
        Results.
    known : DataFrame, mapping, path of a CSV file, or None
        The classes that images have; see `napari_webipred.evaluation.truth.of`. None takes the names of the folders
        that the images lie in.
    group : str, optional
        Name of a column of either table that says which images belong together, such as a patient's.
    ordinal : bool
        Whether the classes have an order, from the first to the last.

    Returns
    -------
    Cohort, and what to record of the files and the model

    Raises
    ------
    OptionError
        Something cannot be read, or no row has a label.
    """
    made: dict[str, Any] = {"results": None, "truth": "names of the folders" if known is None else None}
    if isinstance(table, (str, Path)):
        found, record = predictions.of_file(Path(table), group)
        made |= {
            "results": described(Path(table)),
            "model": record.get("model"),
            "conditions": recorded_conditions(record),
        }
    else:
        found = predictions.of_frame(table, group)
        made["model"] = {"checksum": table.attrs["checksum"]} if "checksum" in table.attrs else None
        made["conditions"] = table.attrs.get("conditions")
    if isinstance(known, (str, Path)):
        made["truth"] = described(Path(known))
    axes: tuple[str, ...] = ()
    if known is None:
        labels = truth.from_folders(found.images)
    else:
        labels, axes = truth.of(known, found.classes, found.axes, group, found.task == "multi-label")
    if group and not found.groups and not any(label.group for label in labels):
        raise OptionError(f"There is no column {group}, neither in the results nor in the labels.", "Check its name.")
    return joined(found, labels, axes, grouped_by=group or "", ordinal=ordinal), made


def described(path: Path) -> dict[str, str]:
    """Name a file and give its checksum.

    Raises
    ------
    OptionError
        It cannot be read.
    """
    try:
        return {"file": str(path), "checksum": f"sha256:{sha256_of(path)}"}
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"{path.name} cannot be read: {reason}.", remedy) from error
