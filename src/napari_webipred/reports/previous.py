"""Earlier structured reports, which new ones on the same images correct."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_webipred.errors import OptionError
from napari_webipred.imaging.quiet import quiet
from napari_webipred.reports.origin import Origin
from napari_webipred.reports.structured import MAKER

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.34"
_MOST_BYTES = 64 * 2**20


class Previous:
    """Earlier reports.

    Parameters
    ----------
    paths : sequence of Path
        Files, or folders with files.

    Raises
    ------
    OptionError
        One of them is no structured report of this program.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        files = [file for path in paths for file in (sorted(path.glob("*.dcm")) if path.is_dir() else [path])]
        self._left = [_read(file) for file in files]

    def on(self, origins: Sequence[Sequence[Origin]]) -> Dataset | None:
        """Return the report on just these images, of several the latest one."""
        instances = {origin.instance for own in origins for origin in own}
        same = [each for each in self._left if _instances(each) == instances]
        self._left = [each for each in self._left if each not in same]
        return max(same, key=lambda each: f"{each.ContentDate}{each.ContentTime}", default=None)

    def check_used(self) -> None:
        """Raise OptionError if a report is on other images than those of the table."""
        if self._left:
            raise OptionError(
                f"{len(self._left)} of the earlier reports are on other images than those of the table.",
                "Give the reports that are to be corrected, and only these.",
            )


def _read(path: Path) -> Dataset:
    from pydicom import dcmread

    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError
        with quiet():
            found = dcmread(path)
            found.decode()
            if str(found.SOPClassUID) != _COMPREHENSIVE_3D or str(found.Manufacturer) != MAKER:
                raise ValueError
            _instances(found)
    except Exception as error:  # pydicom raises nearly everything on damaged files
        raise OptionError(
            f"{path.name} is no structured report that napari-webipred has written.", "Give an earlier report."
        ) from error
    return found


def _instances(report: Dataset) -> set[str]:
    """Return the unique identifiers of the images that a report is about."""
    return {
        str(image.ReferencedSOPInstanceUID)
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for image in series.ReferencedSOPSequence
    }
