"""The commands that classify images: demo, classify."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, get_args

from msgspec.structs import replace

from napari_webipred.cache import overrides
from napari_webipred.cli import arguments, explain, inputs, selection, several, terminal
from napari_webipred.cli.cluster import DASK, on_cluster
from napari_webipred.cli.commands import imported
from napari_webipred.cli.maps import Maps
from napari_webipred.cli.parser import Parser
from napari_webipred.cli.run import Wishes, run
from napari_webipred.errors import OptionError
from napari_webipred.hardware import Device, Precision

if TYPE_CHECKING:
    from napari_webipred.engine import ImageLike, Options

DEFAULT_THRESHOLD = 0.5
OVERWRITE = "replace the output file even if napari-webipred did not write it"
STANDARD = "-"  # in place of a file: standard output


def add_demo(parser: Parser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("demo.csv"), help="CSV file to write (default: %(default)s)"
    )
    parser.add_argument("--overwrite", action="store_true", help=OVERWRITE)
    parser.set_defaults(run=_demo)


def add_classify(parser: Parser) -> None:
    """Add the arguments of the command."""
    add_arguments(parser)
    parser.add_argument("--dask", metavar="CLUSTER", help=DASK)
    parser.set_defaults(run=_classify)


def add_arguments(parser: Parser, *, files: bool = True) -> None:
    """Add the options of a run, and the images if they are files."""
    arguments.add_arguments(parser, several=True, files=files)
    parser.add_argument(
        "--reference",
        action="store_true",
        help="measure how far each image is from the reference images of the model (see the command reference)",
    )
    several.add_arguments(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=table_file,
        help="file to write: .csv, .tsv, .jsonl or .parquet (default, or -: print CSV to standard output)",
    )
    parser.add_argument("--overwrite", action="store_true", help=OVERWRITE)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the rows that an earlier run of the same command has left, however it ended",
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="with --resume: try the images again that failed in the earlier run"
    )
    told = parser.add_mutually_exclusive_group()
    told.add_argument("--quiet", action="store_true", help="say nothing but errors on standard error")
    told.add_argument(
        "--json-progress", action="store_true", help="write progress and messages on standard error as lines of JSON"
    )
    parser.add_argument(
        "--threshold",
        default="0.5",
        metavar="P",
        help="assign a class from this probability on, for multi-label models (default: %(default)s); or the name of "
        "thresholds that evaluate has kept, for any model",
    )
    parser.add_argument(
        "--identify",
        action="store_true",
        help="add the unique identifiers of the study, series and instance of DICOM files to the table",
    )
    parser.add_argument(
        "--views",
        metavar="VIEWS",
        help="classify each image and its mirror image (flip), or all eight that turning and mirroring make of it "
        "(symmetries); the table has the mean and the standard deviation",
    )
    parser.add_argument(
        "--device",
        choices=get_args(Device),
        help="what computes the model: the processor (cpu), or a graphics card if ONNX Runtime can use it here "
        "(default: as in napari's preferences, else cpu)",
    )
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        help="bf16 computes less exactly, on some ARM processors (default: as in napari's preferences, else float32)",
    )
    maps = parser.add_argument_group("explanations")
    maps.add_argument(
        "--explain", type=Path, metavar="FOLDER", help="write maps of what speaks for a class, as explain"
    )
    explain.add_arguments(maps)


def table_file(text: str) -> Path | None:
    """Return the file of a table; None if it is standard output."""
    if text.endswith("/"):
        raise OptionError(f"{text} is a folder.", f"Give a file name, such as {text}output.csv.")
    return None if text == STANDARD else Path(text)


def _demo(options: argparse.Namespace) -> int:
    from napari_webipred.engine import Options
    from napari_webipred.imaging.readers import file_source
    from napari_webipred.imaging.selection import WHOLE
    from napari_webipred.samples import sample_images

    if str(options.output) == STANDARD:
        raise OptionError("demo uses standard output for what it shows.", "Give a file, such as demo.csv.")
    with _claimed(options.output, options.overwrite) as output:
        model = arguments.open_model("demo")
        terminal.show(model.card.name)
        print(f"{fill(model.card.description, 100)}\n")
        # Where the program is installed says nothing about an image.
        images = [replace(file_source(path), name=path.name) for path in sample_images()]
        return run([model], images, output, Options(), WHOLE, Wishes(show=True))


def _classify(options: argparse.Namespace) -> int:
    return classify_found(options, lambda: arguments.images(options))


def classify_found(options: argparse.Namespace, find: Callable[[], Iterable[ImageLike]]) -> int:
    """Classify images that are found when the models are open and the table may be written."""
    imported("onnxruntime", "PIL.Image", "napari_webipred.engine", "napari_webipred.opening")
    terminal.speak("quiet" if options.quiet else "json" if options.json_progress else "plain")
    threshold, name = _threshold(options.threshold)
    how = _options(options, threshold)
    what = selection.selection(options)
    drawing = explain.drawing(options)
    if options.explain is None:
        explain.refuse_without_folder(options)
    if options.retry_failed and not options.resume:
        raise OptionError("--retry-failed tries images of an earlier run again.", "Add --resume.")
    together = several.ensemble(options)
    if options.explain and len(options.model) > 1:
        raise OptionError("--explain explains one model.", "Give --model once.")
    with ExitStack() as stack:
        output = stack.enter_context(_claimed(options.output, options.overwrite, arguments.files(options)))
        folder = stack.enter_context(_folder_of_maps(options)) if options.explain else None
        models = arguments.models(options)
        if name:
            said = how.as_dict()
            models = [model.with_thresholds(overrides.chosen(model.checksum, name), said) for model in models]
        for model in models:
            for sentence in model.card.remarks_on(how.views):
                terminal.message(sentence)
        if how.reference:
            for weakness in dict.fromkeys(model.reference.weakness for model in models if model.reference):
                terminal.message(weakness)
        show = output is None and sys.stdout.isatty()
        maps = Maps(folder, drawing, models[0], how) if folder else None
        executor = stack.enter_context(on_cluster(_cluster(options)))
        if executor is None and maps is None and inputs.is_one_file(options.inputs):
            from napari_webipred import engine

            engine.open_ahead(models[0], how)  # while the file is looked into
        wishes = Wishes(
            show,
            arguments.given_models(options),
            together,
            maps,
            regions=options.regions,
            executor=executor,
            resume=options.resume,
            retry_failed=options.retry_failed,
        )
        return run(models, find(), output, how, what, wishes)


def _options(options: argparse.Namespace, threshold: float) -> Options:
    from napari_webipred.engine import Options

    hardware = arguments.hardware(options)
    return Options(
        intensity=arguments.intensity(options.range),
        threshold=threshold,
        profile=options.profile,
        views=options.views,
        reference=options.reference,
        identify=options.identify,
        memory=options.memory,
        precision=hardware.precision,
        device=hardware.device,
    )


def _folder_of_maps(options: argparse.Namespace) -> AbstractContextManager[Path]:
    from napari_webipred.explanations.folder import claimed_folder

    return claimed_folder(options.explain, arguments.files(options))


def _cluster(options: argparse.Namespace) -> str | None:
    """Return the name of the cluster to work on, if there is one."""
    where: str | None = getattr(options, "dask", None)  # images of archives are on this computer only
    if where is not None and options.explain:
        raise OptionError("Maps are made on this computer only.", "Use --explain without --dask.")
    return where


def _threshold(text: str) -> tuple[float, str]:
    """Return a threshold, and the name of thresholds that stand in its place."""
    try:
        return float(text), ""
    except ValueError:
        return DEFAULT_THRESHOLD, text


@contextmanager
def _claimed(path: Path | None, overwrite: bool, inputs: Iterable[str] = ()) -> Iterator[Path | None]:
    """Make sure that the table may be written, before anything else takes time."""
    if path is None:
        yield None
        return
    from napari_webipred.results.parquet import check_installed
    from napari_webipred.results.table_path import COHORT, PARQUET, claimed_table

    if path.suffix.lower() == PARQUET:
        check_installed()
    with claimed_table(path, lambda there: terminal.may_replace(there, overwrite), inputs, COHORT) as output:
        yield output
