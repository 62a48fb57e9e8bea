"""The network of a model on its way to the workers of a cluster: each opens it from its cache, or gets a copy."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from napari_webipred import settings
from napari_webipred.cache import graphs
from napari_webipred.errors import ModelError
from napari_webipred.model import open_session

if TYPE_CHECKING:
    from napari_webipred.model import Model
    from napari_webipred.runtime.session import Session

PIECE = 16 * 2**20  # bytes of a copy that are sent at a time
OPEN = 2  # networks that a worker keeps open: those of the latest runs


class Network(Struct, frozen=True):
    """Which network it is.

    Attributes
    ----------
    name : str
        Of the file of the compiled graph in a cache; empty if there is none.
    checksum : str
        Of the graph.
    allow_slow : bool
        Whether it may compute very long for an image.
    keep : bool
        Whether a worker may keep a copy in its cache.
    """

    name: str
    checksum: str
    allow_slow: bool
    keep: bool


def network_of(model: Model) -> Network:
    """Describe the network of a model.

    Raises
    ------
    ModelError
        Its graph was removed from the disk.
    """
    try:
        checksum = graphs.checksum_of(model.kept) if model.kept else graphs.checksum_in(content_of(model))
    except (OSError, ValueError) as error:
        raise ModelError("The compiled model was removed.", "Open the model again.") from error
    keep = model.kept is not None and not settings.current().private
    return Network(model.kept.name if model.kept else "", checksum, model.allow_slow, keep)


def content_of(model: Model) -> bytes:
    """Return the graph of a model with its checksum at its end.

    Raises
    ------
    ModelError
        It was removed from the disk or is damaged.
    """
    return model.graph() if model.kept else graphs.with_checksum(model.graph())


def pieces(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut a copy into pieces: where each begins, and its bytes."""
    yield from ((start, content[start : start + PIECE]) for start in range(0, len(content), PIECE))


class Networks:
    """The networks that this process, a worker, has open, and copies that have not arrived wholly."""

    def __init__(self) -> None:
        self._open: OrderedDict[Network, Session] = OrderedDict()
        self._copies: dict[str, bytes] = {}
        self._arriving: dict[str, bytearray] = {}
        self._lock = threading.Lock()

    def session(self, network: Network) -> Session | None:
        """Return the session of a network, which computes an image on one core; None if the network is not here.

        Raises
        ------
        ModelError
            It cannot be opened, or there is not enough memory for it.
        """
        with self._lock:  # whoever comes meanwhile waits for the same session
            if network in self._open:
                self._open.move_to_end(network)
                return self._open[network]
            graph = self._found(network)
            if graph is None:
                return None
            while len(self._open) >= OPEN:
                self._open.popitem(last=False)
            try:
                session = open_session(graph, 1, allow_slow=network.allow_slow, optimise=False)
            except ModelError:
                if self._found(network) is None:  # it was damaged, and is removed now
                    return None
                raise
            self._open[network] = session
            self._copies.clear()
            return session

    def receive(self, network: Network, start: int, piece: bytes, size: int) -> bool:
        """Take a piece of a copy of so many bytes; the last one makes it whole.

        Returns
        -------
        bool
            Whether the piece was the one that was expected, and the copy, if it is whole now, is what was sent.
        """
        arriving = self._arriving.setdefault(network.checksum, bytearray()) if start else bytearray()
        if len(arriving) != start:
            return False
        self._arriving = {network.checksum: arriving}  # what began to come for others will not come to its end
        arriving += piece
        if len(arriving) < size:
            return True
        content = bytes(self._arriving.pop(network.checksum))
        if not graphs.is_copy(content, network.checksum):
            return False
        if not (network.keep and graphs.keep_copy(graphs.paths_named(network.name)[-1], content)):
            self._copies = {network.checksum: content}
        return True

    def _found(self, network: Network) -> Path | bytes | None:
        """Return the graph: a file of a cache on this computer, or a copy in memory."""
        for path in graphs.paths_named(network.name) if network.name else ():
            try:
                if graphs.checksum_of(path) == network.checksum:
                    return path
            except (OSError, ValueError):  # it is not there, or damaged
                continue
        return self._copies.get(network.checksum)


networks = Networks()  # of this process
