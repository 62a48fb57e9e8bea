"""A report: its files, what of a patient is in them, and how they are saved."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from napari_webipred.errors import OptionError
from napari_webipred.results.output import Kind, claimed, replacing, unwritable

ReportKind: TypeAlias = Literal["sr", "fhir", "html"]
SUFFIXES = {"sr": ".dcm", "fhir": ".json", "html": ".html"}
_CONTENT = {
    "sr": "a structured report is a DICOM file",
    "fhir": "a FHIR bundle is saved as JSON",
    "html": "the report is a page",
}


class Report(Struct, frozen=True, eq=False):
    """A report that was made; nothing is written or sent yet.

    Attributes
    ----------
    kind : "sr", "fhir" or "html"
    documents : tuple of bytes
        The content of its files: one for each image or series of the kind ``"sr"``, else a single one.
    attributes : tuple of str
        What in them tells of a patient, as DICOM calls it, such as ``"PatientID"``.
    holds : tuple of str
        What else is in them, in words.
    notes : tuple of str
        What should be known of the report, a sentence each.
    """

    kind: ReportKind
    documents: tuple[bytes, ...]
    attributes: tuple[str, ...]
    holds: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def save(self, path: str | Path, may_replace: Callable[[Path], bool] = lambda path: False) -> list[Path]:
        """Write the report.

        Parameters
        ----------
        path : path
            A file, or a folder for several documents, which is made if it is not there.
        may_replace : callable
            Asked about a file that is there already; by default nothing is replaced.

        Returns
        -------
        list of Path
            The files.

        Raises
        ------
        OptionError
            A file is there already, or cannot be written.
        """
        path = Path(path)
        paths = self._paths(path)
        kind = Kind(_CONTENT[self.kind], (SUFFIXES[self.kind],), None)
        try:
            if len(paths) > 1 or paths[0] != path:
                path.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                targets = [stack.enter_context(claimed(each, kind, may_replace)) for each in paths]
                for target, content in zip(targets, self.documents, strict=True):
                    with replacing(target, content):
                        pass
        except OSError as error:
            raise unwritable(path, error) from error
        return paths

    def send(
        self, address: str, token: str = "", *, trust_network: bool = False, ca_file: str | Path = ""
    ) -> list[str]:
        """Send a report of the kind ``"fhir"`` to a server.

        Parameters
        ----------
        address : str
            Of the server, such as ``https://host/fhir``. Nobody else is contacted.
        token : str
            The bearer token, if the server wants one.
        trust_network : bool
            Send also to another computer without encryption.
        ca_file : path
            Certificates (PEM) of which one has signed that of the server; by default those of the system.

        Returns
        -------
        list of str
            Where the server keeps its resources.

        Raises
        ------
        WebIPredError
            The server cannot be reached, or refuses it.
        """
        from napari_webipred.reports.server import connection_to, posted

        way = connection_to(address, token=bool(token), trust=trust_network, ca_file=str(ca_file))
        if self.kind != "fhir":
            raise OptionError("Only reports of the kind fhir can be sent to a FHIR server.", "Make one of that kind.")
        return posted(self.documents[0], way, token)

    def _paths(self, path: Path) -> list[Path]:
        suffix = SUFFIXES[self.kind]
        if len(self.documents) == 1 and (path.suffix.lower() == suffix or self.kind != "sr"):
            return [path]
        if path.suffix.lower() == suffix:
            raise OptionError(
                f"There are {len(self.documents)} documents, one for each image or series.",
                "Give the name of a folder for them.",
            )
        return [path / f"report-{number}{suffix}" for number in range(1, len(self.documents) + 1)]
