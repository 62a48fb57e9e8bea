"""Classifies planes in another process, from nothing but plain data."""

from __future__ import annotations

import multiprocessing
from collections.abc import Generator, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from napari_webipred.card import ModelCard
from napari_webipred.execution.plane import Plane, classify_plane
from napari_webipred.options import Options
from napari_webipred.results.row import Row
from napari_webipred.runtime.session import Session


@cache
def session(graph: Path | bytes) -> Session:
    return Session(graph, 1)


def classify_here(graph: Path | bytes, card: ModelCard, options: Options, plane: Plane) -> Row:
    return classify_plane(plane, card, options, session(graph).predict)


def in_another_process(model: Any, planes: Iterable[Plane], count: int, options: Options) -> Generator[Row, None, None]:
    """An executor whose one process shares nothing with this one."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        sent = [pool.submit(classify_here, model._graph, model.card, options, plane) for plane in planes]
        assert len(sent) == count
        for future in sent:
            yield future.result(120)
