"""Connects with a cluster of Dask Distributed, or starts one on this computer."""

from __future__ import annotations

import logging
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from napari_webipred import safe_json
from napari_webipred.atomic_file import read_small
from napari_webipred.errors import OptionError
from napari_webipred.limits import available_cores

LOCAL = "local"
SECONDS = 10  # until a scheduler answers
_ADDRESS = re.compile(r"[a-z]+://\S+|[^\s/\\]+:\d+")
KINDS = "Give an address such as tcp://host:8786, the path of a scheduler file, or local."
HOST = "127.0.0.1"
# A cluster on this computer shows no pages about itself, and writes nothing of rows to the disk. Dask lets the workers
# give memory back to the system at once, and fetch it again for the next image: with files of 1000 x 800 pixels and the
# demo model that takes 4 ms of 14 for each. It also looks at their stacks all the time.
_CONFIGURATION: dict[str, object] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1},
}


@contextmanager
def connected(where: str) -> Iterator[Any]:
    """Connect with a cluster, and leave it in the end.

    Parameters
    ----------
    where : str
        The address of a scheduler, ``tcp://host:8786`` or ``tls://host:8786``; the path of a scheduler file; or
        ``"local"``, which starts a cluster with a worker for each core of this computer. It listens on the loopback
        address only, and takes nobody who has not its certificate.

    Yields
    ------
    distributed.Client
        Certificates for TLS are those of Dask's own configuration.

    Raises
    ------
    OptionError
        Dask Distributed is not installed, or there is no such cluster.
    """
    if find_spec("distributed") is None:
        raise OptionError("Dask Distributed, which talks to clusters, is not installed.", "", "install dask")
    from distributed import Client

    with ExitStack() as stack:
        if where == LOCAL:
            client = stack.enter_context(_of_this_computer())
        else:
            address = _address(where)
            _check(address)
            try:
                client = Client(address, set_as_default=False, timeout=SECONDS)
            except (OSError, TimeoutError, ValueError) as error:  # the last of a port without sense
                raise OptionError(
                    f"There is no answer from the cluster {where}: {error}.",
                    "Check the address, that its scheduler runs, and the certificates of tls:// addresses.",
                ) from error
            stack.enter_context(client)
        yield client


def _address(where: str) -> str:
    """Return an address as it is given, or from a scheduler file."""
    if _ADDRESS.fullmatch(where):
        return where
    try:
        return str(safe_json.parse(read_small(Path(where)))["address"])
    except FileNotFoundError:
        raise OptionError(f"{where} is no address of a cluster, and there is no such file.", KINDS) from None
    except OSError as error:
        raise OptionError(f"{where} cannot be read: {error.strerror}.", KINDS) from error
    except (ValueError, KeyError, TypeError) as error:
        raise OptionError(f"{where} is no scheduler file.", KINDS) from error


def _check(address: str) -> None:
    """Refuse an address for which a client of Dask would fail, and then wait in vain until it is deleted."""
    from distributed.comm.addressing import parse_address
    from distributed.comm.registry import get_backend
    from distributed.security import Security

    try:
        get_backend(parse_address(address)[0])
    except ValueError as error:
        raise OptionError(f"{address} is no address of a cluster: {error}.", KINDS) from error
    if address.startswith("tls://") and not Security().get_connection_args("client").get("ssl_context"):
        raise OptionError(
            f"The cluster {address} uses TLS, and Dask is told of no certificates.",
            "Put them into Dask's configuration, as distributed.comm.tls.",
        )


@contextmanager
def _of_this_computer() -> Iterator[Any]:
    """Start a cluster on this computer, and end it."""
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    with (
        TemporaryDirectory(prefix="napari-webipred-") as folder,
        dask.config.set(_CONFIGURATION),
        ExitStack() as stack,
    ):
        with _uninterrupted():
            cluster = LocalCluster(
                n_workers=available_cores(),
                threads_per_worker=1,
                host=HOST,
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": f"{HOST}:0", "dashboard": False},
                security=Security.temporary(),
                local_directory=folder,
                silence_logs=logging.CRITICAL,
            )
        stack.enter_context(cluster)
        yield stack.enter_context(Client(cluster, set_as_default=False))


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep Ctrl-C from the processes that are started within; this one ends them. On Windows they hear of it, too."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker  # Windows has none

    resource_tracker.ensure_running()  # else Python starts it with the first process, and lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
