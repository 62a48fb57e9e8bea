"""The maps of a run of the command line: which are made, and when they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_webipred.cli import terminal
from napari_webipred.cli.interruption import uninterrupted
from napari_webipred.errors import WebIPredError

if TYPE_CHECKING:
    from napari_webipred.engine import Options
    from napari_webipred.execution import Executor
    from napari_webipred.execution.plane import Plane, Prepared
    from napari_webipred.explanations.executor import ExplainedRow, Use
    from napari_webipred.explanations.explanation import Explanation
    from napari_webipred.explanations.folder import Folder, Format
    from napari_webipred.explanations.request import Request
    from napari_webipred.imaging.selection import Selection
    from napari_webipred.imaging.source import Source
    from napari_webipred.model import Model
    from napari_webipred.results.row import Row
else:
    Request = Format = Any  # these take long to import, and most runs draw no maps


class Drawing(NamedTuple):
    """How maps are written."""

    request: Request
    kind: Format
    scale: float | None  # None: that of each image
    of_run: bool  # the largest of all images; figures are drawn when all images are explained
    signed: bool


class Maps:
    """The maps of a run: made with the rows, written at once or, if all share a scale, in the end.

    Attributes
    ----------
    executor : Executor
        For `napari_webipred.engine.classify`.
    written, unexplained : int
        How many maps are written, and how many images that were classified have none.
    """

    def __init__(self, path: Path, how: Drawing, model: Model, options: Options) -> None:
        from napari_webipred.explanations.executor import explaining

        how.request.check_classes(model.card)
        self._path, self._how, self._model, self._options = path, how, model, options
        self._folder: Folder | None = None
        self._kept: list[tuple[str, Plane, list[Explanation]]] = []
        self._progress = terminal.ProgressLine()
        self.written = self.unexplained = 0
        self.executor: Executor = explaining(how.request, self._use, self._show_occlusion)

    def begin(self, sources: Sequence[Source], total: int, what: Selection) -> None:
        """Get ready for the rows of these images."""
        from napari_webipred.explanations.folder import Folder
        from napari_webipred.results.record import RUNNING, Record

        request = self._how.request
        used = {"method": request.method, "check": request.check, "format": self._how.kind, "signed": self._how.signed}
        everything = {**self._options.as_dict(), **what.as_dict(), **used}
        record = Record(self._model.card, self._model.checksum, everything, total)
        record.stopped = RUNNING
        names = [source.name for source in sources]
        self._folder = Folder(self._path, self._how.kind, names, self._model.classes, record)

    def add(self, row: Row) -> None:
        """Take what has come with a row, and say what failed."""
        explained: ExplainedRow = row  # type: ignore[assignment]  # of our executor
        if explained.unexplained:
            self.unexplained += 1
            terminal.message(f"{terminal.title(row)}: not explained: {explained.unexplained}")
        if explained.made is not None and self._how.of_run:
            self._kept.append(explained.made)
        assert self._folder is not None
        with uninterrupted():
            self._folder.add(row, self._counted((explained.made or ()) if not self._how.of_run else ()))

    @property
    def summary(self) -> str:
        """What was written, in a sentence."""
        maps = "1 map" if self.written == 1 else f"{self.written} maps"
        return f"{maps} written to {self._path}."

    def finish(self, stopped: str = "") -> None:
        """Draw what was kept, and write the record; it says why the run was stopped, if it was."""
        from napari_webipred.execution.threads import in_threads

        if self._folder is None:  # no image was found
            return
        kept, self._kept = self._kept, []
        scale = max((each.scale for _, _, found in kept for each in found), default=1.0)

        def work(threads: int) -> Callable[[tuple[str, Plane, list[Explanation]]], list[dict[str, Any]]]:
            return lambda item: self._drawn_again(*item, scale)

        try:
            with closing(in_threads(work, kept, len(kept), self._options)) as drawn:
                for done, entries in enumerate(drawn, 1):
                    self._progress.show(f"{done} of {len(kept)} images drawn", done, len(kept))
                    with uninterrupted():
                        self._folder.note(self._counted(entries))
        finally:
            self._progress.clear()
            self._folder.finish(stopped)

    def _counted(self, entries: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for entry in entries:
            self.written += 1
            yield entry

    def _use(self, plane: Plane) -> Use:
        assert self._folder is not None
        name = self._folder.name(plane)
        if self._how.of_run:
            return lambda prepared, found: (name, plane, found)
        return lambda prepared, found: self._write(name, plane, prepared, found, self._how.scale)

    def _drawn_again(self, name: str, plane: Plane, found: list[Explanation], scale: float) -> list[dict[str, Any]]:
        from napari_webipred.execution.plane import prepared_plane

        try:
            prepared = prepared_plane(plane, self._model.card, self._options)
        except WebIPredError as error:  # the file was there a moment ago
            self.unexplained += 1
            terminal.message(f"{plane.source.name}: not drawn: {error}")
            return []
        return self._write(name, plane, prepared, found, scale)

    def _write(
        self, name: str, plane: Plane, prepared: Prepared, found: list[Explanation], scale: float | None
    ) -> list[dict[str, Any]]:
        """Write the maps of one plane, and return their entries; those that must not be trusted are told."""
        from napari_webipred.execution.preview import original
        from napari_webipred.explanations.overlay import figure

        places = [f"{axis}={place}" for axis, place in plane.source.position(plane.index).items()]
        places += [f"region={plane.region.name}"] if plane.region is not None else []
        title = " ".join([PurePath(plane.source.name).name, *places])
        assert self._folder is not None
        image = original(prepared) if self._how.kind == "png" else None
        entries = []
        for each in found:
            strongest = scale or each.scale
            if each.remark:
                terminal.message(f"{' '.join([plane.source.name, *places])}: {each.remark}")

            def drawn(each: Explanation = each, strongest: float = strongest) -> Any:
                return figure(image, each, strongest, title, both=self._how.signed)  # type: ignore[arg-type]

            entries.append(self._folder.write(name, plane, each, strongest, drawn))
        return entries

    def _show_occlusion(self, done: int, total: int) -> None:
        self._progress.show(f"occlusion: {done} of {total} parts", done, None)


@contextmanager
def finished(maps: Maps) -> Iterator[None]:
    """Finish maps when the run has ended.

    After Ctrl-C, images that are explained already are still drawn; another Ctrl-C leaves them out.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        maps.finish(str(error) or "cancelled")
        raise
    except WebIPredError as error:
        with suppress(WebIPredError):  # the first one says what the user has to do
            maps.finish(error.message)
        raise
    maps.finish()
