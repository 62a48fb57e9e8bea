"""Hugging Face: which repository a reference means, the files there, and a model card made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from napari_webipred import formats, settings
from napari_webipred.archive import label_files
from napari_webipred.archive.entry import MAX_SIDE_BYTES
from napari_webipred.archive.label_files import usable_names_in
from napari_webipred.card import (
    Author,
    Citation,
    ModelCard,
    Output,
    PartialCard,
    Provenance,
    Weights,
    WeightSource,
    file_size,
    named,
)
from napari_webipred.catalogue import side_files, transformers
from napari_webipred.catalogue.plain_text import day, plain_text
from napari_webipred.download import client
from napari_webipred.download.remote_file import (
    RemoteFile,
    format_of,
    harmless,
    layers_files,
    read_json_file,
    read_side_file,
)
from napari_webipred.errors import CatalogueError
from napari_webipred.merge import merge
from napari_webipred.names import listed

_CONFIG = "config.json"
_MAX_CONFIG_BYTES = 4 * 2**20
_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}"
_SHORT = re.compile(rf"hf:({_PART}/{_PART})(?:@([^/\s]+))?(?:/(\S.*))?")
_PATH = re.compile(rf"/({_PART}/{_PART})(?:/(?:tree|blob|resolve|raw)/([^/]+)(?:/(.+))?)?/?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NOT_MODELS = {"datasets", "spaces", "docs", "api", "papers", "blog", "collections", "models", "tasks", "settings"}
# Smaller or coarser forms of a model that lies beside them.
_VARIANT = re.compile(
    r"[_-](quantized|int8|uint8|fp16|float16|bf16|bnb4|q4|q4f16|q8|o[1-4]|avx\w*|arm64)\b", re.IGNORECASE
)


def parse(reference: str) -> WeightSource | None:
    """Return what a reference says about where a model lies on Hugging Face; None if it means something else.

    Understood are ``hf:owner/name``, with ``@revision`` and ``/path/to/file`` behind it as needed, and the address of a
    repository or of a file in it, on huggingface.co or the server of the settings.
    """
    text = reference.strip()
    if match := _SHORT.fullmatch(text):
        repository, revision, path = match.groups()
    else:
        try:
            parts = urlsplit(text if "://" in text else f"https://{text}")
            hosts = {
                "huggingface.co",
                "www.huggingface.co",
                "hf.co",
                urlsplit(settings.current().huggingface_url).netloc,
            }
        except ValueError:
            return None
        match = _PATH.fullmatch(unquote(parts.path)) if parts.netloc in hosts else None
        if match is None or match[1].partition("/")[0] in _NOT_MODELS:
            return None
        repository, revision, path = match.groups()
    return WeightSource(type="huggingface", repo=repository, revision=revision, file_key=path)


def matches(source: WeightSource, card: ModelCard, weights: Weights) -> bool:
    """Tell whether a parsed reference leads to weights, whose commit it may leave open."""
    there = weights.source
    return (
        there.type == "huggingface"
        and (source.repo or "").casefold() == (there.repo or "").casefold()
        and (there.revision or "").startswith(source.revision or "")
        and source.file_key in {None, there.file_key}
    )


def resolve(source: WeightSource) -> ModelCard:
    """Ask Hugging Face for a repository, and make a card of what lies in it, as it is at this commit.

    Read are the list of files, ``config.json`` (class names, what the model's numbers mean),
    ``preprocessor_config.json`` (how images are prepared) and what can name classes
    (`napari_webipred.archive.label_files.SIDE_FILES`). Nothing is downloaded that could run.

    Raises
    ------
    CatalogueError
        There is no such public repository, revision or file, it has no model that can be used, several might be meant,
        or the server cannot be asked.
    """
    asked = str(source.repo)
    answer, commit, listing = _look_up(asked, source.revision)
    called = str(answer.get("id"))
    repository = called if re.fullmatch(f"{_PART}/{_PART}", called) else asked  # it may have been renamed
    path = _choose(repository, listing, source.file_key)
    form = format_of(path) or formats.ZIPPED
    card = _card_of(repository, commit, answer, listing[path], form, alone=source.file_key is None)
    folder = PurePosixPath(path).parent

    def beside(name: str, limit: int) -> RemoteFile | None:
        """Find a file beside the model or, as with those in a folder ``onnx``, at the top."""
        files = [file for place in (folder / name, PurePosixPath(name)) if (file := listing.get(place.as_posix()))]
        return next((file for file in files if (file.size or 0) <= limit), None)

    side = {name: file for name in label_files.SIDE_FILES if name != _CONFIG and (file := beside(name, MAX_SIDE_BYTES))}
    settled = beside(_CONFIG, _MAX_CONFIG_BYTES)
    config = read_json_file(settled, _MAX_CONFIG_BYTES) if settled else {}
    prepared = beside("preprocessor_config.json", MAX_SIDE_BYTES)
    preprocessor = read_json_file(prepared) if prepared else None
    card = merge(card, _of_config(config, form), transformers.describe(preprocessor, config))
    return side_files.completed(card, {name: read_side_file(file) for name, file in side.items()})


def files(card: ModelCard, weights: Weights) -> tuple[RemoteFile, ...]:
    """Return the files of a model, at the commit that its card names; the server is asked only for several."""
    repository, commit, path = weights.source.repo, weights.source.revision, weights.source.file_key
    if not repository or not commit or not path:
        return ()
    if PurePosixPath(path).suffix.lower() != ".json":
        return (RemoteFile(_address(repository, commit, path), harmless(path), weights.size, weights.checksum),)
    _, _, listing = _look_up(repository, commit)
    if path not in listing:
        raise CatalogueError(f"{repository} on Hugging Face has no file {path}.", "Choose another model.")
    return layers_files(listing[path], listing)


def _look_up(repository: str, revision: str | None) -> tuple[dict[str, Any], str, dict[str, RemoteFile]]:
    """Ask for the list of files; return the answer, the commit it stands for, and the files by their paths."""
    what = f"the repository {repository}" + (f" at {revision}" if revision else "")
    url = f"{settings.current().huggingface_url}/api/models/{repository}"
    url += f"/revision/{quote(revision, safe='')}?blobs=true" if revision else "?blobs=true"
    with client.open_url(url, what, accept="application/json") as response:
        answer = client.read_json(response, what)
    try:
        commit = answer["sha"]
        if not _COMMIT.fullmatch(commit):
            raise ValueError(commit)
        entries = [_entry(repository, commit, sibling) for sibling in answer["siblings"]]
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise CatalogueError(
            "The server does not seem to be Hugging Face: its answer is not valid.",
            "Check the address of the server, or update napari-webipred.",
            "set server address",
        ) from error
    if answer.get("gated") or answer.get("private"):
        raise CatalogueError(
            f"Hugging Face gives {repository} only to users who are logged in and have agreed to its terms.",
            "Download the model in a browser and open it from disk.",
        )
    return answer, commit, {file.name: file for file in entries}


def _entry(repository: str, commit: str, sibling: dict[str, Any]) -> RemoteFile:
    path, large = str(sibling["rfilename"]), sibling.get("lfs")
    digest = str(large.get("sha256") or large.get("oid")) if isinstance(large, dict) else ""
    return RemoteFile(
        _address(repository, commit, path),
        path,
        file_size(sibling.get("size")),
        f"sha256:{digest}" if re.fullmatch(r"[0-9a-f]{64}", digest) else None,
    )


def _address(repository: str, commit: str, path: str) -> str:
    return f"{settings.current().huggingface_url}/{repository}/resolve/{commit}/{quote(path)}"


def _choose(repository: str, listing: Mapping[str, RemoteFile], path: str | None) -> str:
    """Choose the model among the files: the one that is named, else the only one, variants of lower precision aside."""
    if path is not None and path in listing and format_of(path):
        chosen = path
    elif path is not None:
        what = "has no model file" if path in listing else "has no file"
        raise CatalogueError(f"{repository} on Hugging Face {what} {path}.", "Check the URL of the file.")
    else:
        # A zip in a repository of files is rarely the model.
        usable = [name for name in listing if format_of(name) and not name.lower().endswith(".zip")]
        whole = [name for name in usable if not _VARIANT.search(PurePosixPath(name).name)] or usable
        if not whole:
            names = listed(list(listing), 10)
            raise CatalogueError(
                f"{repository} on Hugging Face has no model that can be used here ({formats.names()}), "
                f"but {names or 'no files'}.",
                f"Choose a repository with a model for {formats.programs()}, or export it to ONNX.",
            )
        if len(whole) > 1:
            raise CatalogueError(
                f"{repository} on Hugging Face has several files that may be models: {', '.join(whole[:10])}"
                f"{', ...' if len(whole) > 10 else ''}.",
                f"Choose one of them, such as hf:{repository}/{whole[0]}.",
            )
        chosen = whole[0]
    for suffix in ("_data", ".data"):
        if f"{chosen}{suffix}" in listing:
            raise CatalogueError(
                f"{chosen} of {repository} stores its weights in another file, {chosen}{suffix}.",
                "Choose a model in a single file.",
            )
    return chosen


def _card_of(
    repository: str, commit: str, answer: dict[str, Any], file: RemoteFile, form: Any, alone: bool
) -> ModelCard:
    owner, _, name = repository.partition("/")
    terms = answer.get("cardData") if isinstance(answer.get("cardData"), dict) else {}
    assert isinstance(terms, dict)
    source = WeightSource(type="huggingface", repo=repository, revision=commit, file_key=file.name)
    id = f"hf--{owner}--{name}--{commit[:8]}"  # noqa: A001
    if not alone:
        id = f"{id}--{re.sub(r'[^A-Za-z0-9._-]+', '_', file.name)}"[:128]  # noqa: A001
    return ModelCard(
        id=id[:128],
        name=name,
        version=commit[:8],
        weights=(Weights(format=form, source=source, size=file.size, checksum=file.checksum),),
        license=plain_text(terms["license"]) or None if isinstance(terms.get("license"), str) else None,
        authors=(Author(name=owner),),
        citations=(
            Citation(
                text=f"{owner}. {name}. Hugging Face, commit {commit[:8]}.", url=f"https://huggingface.co/{repository}"
            ),
        ),
        provenance=Provenance(
            source=f"Hugging Face repository {repository}, commit {commit}", published=day(answer.get("lastModified"))
        ),
    )


def _of_config(config: dict[str, Any], form: str) -> PartialCard:
    """Take the names of the classes, and what has to be done with the model's numbers, from ``config.json``."""
    said: dict[str, Any] = {}
    labels = config.get("id2label")
    names = usable_names_in(labels) or usable_names_in(config.get("label_names"))
    # LABEL_0, LABEL_1 stand there where nobody has named the classes.
    if names and names != [f"LABEL_{i}" for i in range(len(names))]:
        said["classes"] = named(names)
    several = config.get("problem_type") == "multi_label_classification"
    # With one label transformers trains for a value, whether the configuration says so or not.
    value = config.get("problem_type") == "regression" or (isinstance(labels, dict) and len(labels) == 1)
    if several or value:
        said["task"] = "multi-label" if several else "regression"
    kinds = config.get("architectures")
    kind = kinds[0] if isinstance(kinds, list) and kinds and isinstance(kinds[0], str) else ""
    logits = kind.endswith("ForImageClassification") and said.get("task") != "regression"
    assumed = ""
    if logits and form == "onnx":
        activation = "sigmoid" if several else "softmax"
        said["output"] = Output.model_validate({"activation": activation})
        assumed = (
            f"The model's outputs are treated as logits, as for {plain_text(kind)[:80]} models; "
            f"{activation} turns them into "
            "probabilities."
        )
    return PartialCard(**said, provenance=Provenance(labels=_CONFIG, assumed=(assumed,)))
