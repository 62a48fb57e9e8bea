"""The command that repeats a run, and tells every difference."""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from napari_webipred import file_errors
from napari_webipred.checksums import sha256_of
from napari_webipred.cli import arguments, selection, terminal
from napari_webipred.cli.classify import table_file
from napari_webipred.cli.parser import Parser
from napari_webipred.cli.run import Wishes, run
from napari_webipred.cli.several import Together
from napari_webipred.cli.status import DONE, SOME_FAILED
from napari_webipred.errors import OptionError
from napari_webipred.model_overrides import Thresholds
from napari_webipred.names import unescape
from napari_webipred.results.columns import COMMENT, READER, Shared, class_places
from napari_webipred.results.inputs import ModelInput
from napari_webipred.results.journal import inputs_of
from napari_webipred.results.record import made, plain, record_path
from napari_webipred.results.recorded import read
from napari_webipred.results.table_cells import cells_in

if TYPE_CHECKING:
    from napari_webipred.engine import Options
    from napari_webipred.imaging.selection import Selection
    from napari_webipred.imaging.source import Source
    from napari_webipred.model import Model

OURS = "Give the record that `classify --output` has written, such as results.csv.json."
_FACTS = ("checksum", "task", "classes", "output")  # of a model
_SHOWN = 200  # characters of a value
_TEXTS = {"prediction", "error", COMMENT, *READER}  # columns behind those of the classes


def add_rerun(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("record", type=Path, metavar="RECORD", help="the record of a table, such as results.csv.json")
    parser.add_argument("-m", "--model", help="where the model is now, if not where it was")
    parser.add_argument(
        "-o",
        "--output",
        type=table_file,
        help="CSV or TSV file for the new rows (default, or -: none, only the differences go to standard output)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the output even if it is not one of ours")
    parser.set_defaults(run=_rerun)


def _rerun(options: argparse.Namespace) -> int:
    from napari_webipred.results.table_path import claimed_table

    table, record = _read(options.record)
    runs = record.get("runs") or [record]
    first = runs[0]
    try:
        inputs = list(inputs_of(first, options.record.parent))
        images = [unescape(str(entry["image"])) for entry in inputs]
        how, what, regions = options_of(first["options"]), _selection(first["options"]), first["options"].get("regions")
        given = [given_model(each, options.model if len(runs) == 1 else None) for each in runs]
        thresholds, together = list(map(_thresholds, runs)), _together(record)
        classes = Shared(dict(enumerate(map(_classes, runs)))).names
        done = sum(each["planes"]["done"] for each in runs)
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"The list of images of {options.record} cannot be read: {reason}.", remedy) from error
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise OptionError(f"{options.record} is damaged ({type(error).__name__}).", OURS) from error
    for _ in _cells(table):  # what cannot be compared with is told before hours of work, not after them
        pass
    series = _series(images)
    if not series and not any(map(os.path.exists, images)):
        raise OptionError(
            f"None of the {len(images)} images of this run is here, such as {images[0] if images else 'none'}.",
            "Run the command in the folder of the first run. Layers of napari cannot be classified again in this way.",
        )
    given_images = [series.get(image, image) for image in images]
    told = [*_of_table(table, record), *_of_versions(record), *_of_files(inputs, given_images)]
    models = list(map(_model, given, thresholds))
    for model, each in zip(models, runs, strict=True):
        told += _of_model(model, how, each)
    for sentence in told:
        terminal.message(sentence)
    stream = io.StringIO(newline="")
    before, now = Counter[str](), Counter[str]()
    wishes = Wishes(given=given, together=together, stream=stream, regions=regions)
    if options.output is None:
        run(models, given_images, None, how, what, wishes)
        stream.seek(0)
        lines = list(_differences(_counted(_cells(table), before), _counted(csv.reader(stream), now), classes))
    else:
        kept = [*images, table, options.record]
        with claimed_table(
            options.output, lambda there: terminal.may_replace(there, options.overwrite), kept
        ) as output:
            run(models, given_images, output, how, what, wishes)
        lines = list(_differences(_counted(_cells(table), before), _counted(cells_in(output), now), classes))
    for sentence in _of_series(before, now):
        terminal.message(sentence)
    return _tell(lines, done, told)


def _tell(lines: Sequence[Sequence[str]], done: int, told: Sequence[str]) -> int:
    """Print the cells that differ, and say how many they are."""
    if not lines:
        terminal.message(f"{f'All {done} rows are' if done != 1 else 'The row is'} the same, bit for bit.")
        return SOME_FAILED if told else DONE
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("row", "image", "column", "before", "now"))
    writer.writerows([terminal.printable(cell, sys.stdout) for cell in line] for line in lines)
    rows = len({line[0] for line in lines})
    terminal.message(f"{rows} of {done} rows differ, in {len(lines)} cell{'s' * (len(lines) != 1)}.")
    return SOME_FAILED


def _read(path: Path) -> tuple[Path, dict[str, Any]]:
    """Return a table and its record."""
    if path.suffix != ".json":
        path = record_path(path)
    if not path.exists():
        raise OptionError(f"There is no record {path}.", OURS)
    record = read(path)
    runs = record.get("runs") or [record]
    known = all({"model", "options", "inputs"} <= {*each} for each in runs)
    if not known or not all("reference" in each["model"] for each in runs):
        raise OptionError(f"{path} does not say how its model is opened or its images are read.", OURS)
    table = path.with_name(path.name.removesuffix(".json"))
    if not table.is_file():
        raise OptionError(
            f"There is no table {table} beside the record.", "Put the table beside it, to compare with it."
        )
    return table, record


def given_model(recorded: Mapping[str, Any], elsewhere: str | None) -> ModelInput:
    """Return what opens the model of a run, with the settings that it had."""
    from napari_webipred.results.session_schema import Model as Opened

    known = Opened.model_validate(recorded["model"])
    settings = known.settings.model_dump(exclude_none=True)
    if elsewhere is not None:
        return ModelInput(elsewhere, settings=settings)
    return ModelInput(unescape(known.reference), known.is_path, settings)


def _classes(recorded: Mapping[str, Any]) -> list[str]:
    """Return the names of the classes of a run."""
    return [each["name"] for each in recorded["model"]["classes"]]


def _thresholds(recorded: Mapping[str, Any]) -> Thresholds | None:
    """Return the thresholds that were chosen by own labels, if some were used, as they were then."""
    known = recorded["model"]
    if not known.get("thresholds"):
        return None
    values = {each["name"]: each["threshold"] for each in known["classes"] if each["threshold"] is not None}
    return Thresholds(known["thresholds"], values)


def _model(given: ModelInput, thresholds: Thresholds | None) -> Model:
    found = arguments.open_model(Path(given.reference) if given.is_path else given.reference, **given.settings)
    return found if thresholds is None else found.with_thresholds(thresholds, {})


def options_of(recorded: Mapping[str, Any]) -> Options:
    """Return the options that the images of a run were classified with."""
    from napari_webipred.engine import Options

    intensity = recorded["intensity"]
    return Options(
        intensity=tuple(intensity) if isinstance(intensity, list) else intensity,
        threshold=recorded["threshold"],
        profile=recorded["profile"],
        views=recorded.get("views"),
        identify=bool(recorded.get("identify")),
        reference=bool(recorded.get("reference")),
        precision=recorded.get("precision", "float32"),
        # What "auto" has chosen, so that the same computes again.
        device=(recorded.get("difference") or recorded).get("device", "cpu"),
    )


def _selection(recorded: Mapping[str, Any]) -> Selection:
    """Return what of each image was classified."""
    if recorded.get("outside") and not recorded.get("regions"):
        raise OptionError("The record does not say in which regions the images were classified.", OURS)
    namespace = argparse.Namespace(
        axes=None,
        planes=[f"{axis}={places}" for axis, places in recorded.get("planes", {}).items()],
        channels=",".join(map(str, recorded.get("channels", ()))),
        colours=",".join(recorded.get("colours", ())),
        project=[f"{axis}={how}" for axis, how in recorded.get("projection", {}).items()],
        regions=recorded.get("regions"),
        blank=recorded.get("outside") == "blank",
    )
    axes = recorded.get("axes")
    return replace(selection.selection(namespace), axes=tuple(axes) if axes else None)


def _together(record: Mapping[str, Any]) -> Together:
    ensemble = record.get("ensemble") or {}
    weights = ensemble.get("weights")
    return Together(ensemble.get("method"), list(weights.values()) if weights else None, record.get("mapping") or {})


def _of_table(table: Path, record: Mapping[str, Any]) -> list[str]:
    found = []
    if record.get("table_checksum") not in (None, f"sha256:{sha256_of(table)}"):
        found.append(f"{table} was changed after it was written.")
    if not record.get("complete"):
        found.append("The first run did not come to its end.")
    return found


def _of_versions(record: Mapping[str, Any]) -> list[str]:
    now, before = made(None), {**record["versions"], "python": record.get("python"), "platform": record.get("platform")}
    present = {**now["versions"], "python": now["python"], "platform": now["platform"]}
    return [
        f"{name} was {before.get(name)}, and is {version} now."
        for name, version in present.items()
        if before.get(name) != version
    ]


def _series(images: Sequence[str]) -> dict[str, Source]:
    """Find the series of DICOM files, such as ``scans/CT series 3``, in their folders."""
    from napari_webipred import engine
    from napari_webipred.imaging.files import is_folder
    from napari_webipred.imaging.series import SERIES

    missing = {image for image in images if SERIES in image and not os.path.exists(image)}  # noqa: PTH110 - never raises
    folders = dict.fromkeys(Path(image).parent for image in images if image in missing)
    found = [source for folder in folders if is_folder(folder) for source in engine.found([folder]).described]
    return {name: source for source in found if (name := unescape(source.name)) in missing}


def _of_files(inputs: Sequence[Mapping[str, Any]], images: Sequence[str | Source]) -> list[str]:
    """Compare the files of the images with those of the first run; the record knows nothing of those of a series."""
    found = []
    for entry, image in zip(inputs, images, strict=True):
        if not isinstance(image, str):
            continue
        path = Path(image)
        if not path.exists():
            found.append(f"{image} is not there any more.")
        elif entry.get("bytes", path.stat().st_size) != path.stat().st_size or (
            "sha256" in entry and entry["sha256"] != sha256_of(path)
        ):
            found.append(f"{image} was changed since the first run.")
    return found


def _of_model(model: Model, how: Options, recorded: Mapping[str, Any]) -> list[str]:
    """Compare a model, and how images are prepared for it, with the first run."""
    from napari_webipred.results.record import Record

    options = how.as_dict() | ({"reference": model.reference.as_dict()} if how.reference and model.reference else {})
    now = Record(model.card, model.checksum, options, 0).of_run()
    pairs = [(f"{name} of the model", recorded["model"].get(name), now["model"][name]) for name in _FACTS]
    pairs += [(name, recorded.get(name), now[name]) for name in ("input", "preprocessing")]
    if how.reference:
        pairs.append(("reference", recorded["options"]["reference"], now["options"].get("reference")))
    return [
        f"The {name} has changed: {str(before)[:_SHOWN]} before, {str(after)[:_SHOWN]} now."
        for name, before, after in pairs
        if before != plain(after)
    ]


def _cells(table: Path) -> Iterator[list[str]]:
    """Yield the names of the columns and the rows of the table of the first run.

    Raises
    ------
    OptionError
        It cannot be read, or is damaged.
    """
    try:
        yield from cells_in(table)
    except (ValueError, csv.Error) as error:
        raise OptionError(
            f"{table} is no table of results any more: {str(error).rstrip('.')}.",
            "Put the table back as it was written.",
        ) from error
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"The table {table} cannot be read: {reason}.", remedy) from error


def _counted(lines: Iterator[list[str]], images: Counter[str]) -> Iterator[list[str]]:
    """Pass lines on, and count how many there are of each image."""
    for line in lines:
        images[line[0] if line else ""] += 1
        yield line


def _of_series(before: Counter[str], now: Counter[str]) -> list[str]:
    """Say of which series fewer slices were read than in the first run."""
    from napari_webipred.imaging.series import SERIES

    return [
        f"{image} had {count} rows, and has {now[image]} now. A series is looked for in one folder: "
        f"put the files of it that lie elsewhere into {Path(image).parent}."
        for image, count in before.items()
        if SERIES in image and now[image] < count
    ]


def _differences(
    before: Iterator[list[str]], lines: Iterator[list[str]], classes: Sequence[str]
) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the cells that differ: number and image of the row, column, before and now."""
    names, now_names = next(before, []), next(lines, [])
    if {*names} != {*now_names}:
        yield "0", "", "names of the columns", ", ".join(names), ", ".join(now_names)
    pairs, numbers = _paired(names, now_names), _numbers(names, classes)
    nothing: list[str] = []
    for number, (old, new) in enumerate(zip_longest(before, lines, fillvalue=nothing), 1):
        image = (old or new)[0] if old or new else ""
        cells = ((name, _cell(old, place), _cell(new, now_place)) for name, place, now_place in pairs)
        yield from (
            (str(number), image, name, a, b) for name, a, b in cells if not _are_same(a, b, is_number=name in numbers)
        )


def _paired(names: Sequence[str], now_names: Sequence[str]) -> list[tuple[str, int | None, int | None]]:
    """Pair the columns of the same name, wherever they stand, and the others in their order."""
    places = {name: place for place, name in enumerate(now_names)}
    new = iter([place for name, place in places.items() if name not in names])
    found = [(name, place, places[name] if name in places else next(new, None)) for place, name in enumerate(names)]
    return [*found, *((now_names[place], None, place) for place in new)]


def _numbers(names: Sequence[str], classes: Sequence[str]) -> set[str]:
    """Return the columns with numbers of classes, whatever they are called, and with what was measured."""
    places = class_places(names, classes)
    behind = names[places.stop :] if places else ()
    return {*(names[place] for place in places), *({*behind} - _TEXTS)}


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place] if place is not None and place < len(row) else ""


def _are_same(before: str, now: str, *, is_number: bool) -> bool:
    """Tell whether two cells say the same; versions of this program write the same number in several ways."""
    if before == now or not is_number:
        return before == now
    try:
        return str(float(before)) == str(float(now))
    except ValueError:
        return False
