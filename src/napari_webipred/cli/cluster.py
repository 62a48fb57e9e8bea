"""The cluster that a command is to work on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_webipred.execution import Executor

DASK = "classify on a cluster of Dask Distributed: the address of its scheduler, a scheduler file, or local"


@contextmanager
def on_cluster(where: str | None) -> Iterator[Executor | None]:
    """Connect with the cluster that is named, if one is."""
    if where is None:
        yield None
        return
    from napari_webipred.execution.cluster.connection import connected
    from napari_webipred.execution.cluster.executor import Cluster

    with connected(where) as client:
        yield Cluster(client)
