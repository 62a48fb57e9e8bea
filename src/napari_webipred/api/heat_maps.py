"""Classify large pictures tile by tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_webipred import engine
from napari_webipred.api.models import model_of
from napari_webipred.api.options import options_of
from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.card import Profile
from napari_webipred.execution.cluster.executor import Cluster
from napari_webipred.execution.threads import classify_planes
from napari_webipred.hardware import Device, Precision
from napari_webipred.imaging.preprocess import Intensity
from napari_webipred.model import Model
from napari_webipred.slides.mapping import Started, TileDone, mapping
from napari_webipred.slides.picture import picture_of
from napari_webipred.slides.request import Background, Request
from napari_webipred.slides.saving import claimed_output, facts_of
from napari_webipred.slides.tile_map import TileMap

if TYPE_CHECKING:
    from distributed import Client
else:
    Client = Any  # Dask is an extra


class HeatMap(TileMap):
    """Probabilities of the classes over a picture, as `heatmap` returns them; see `napari_webipred.slides.tile_map`.

    Attributes
    ----------
    facts : dict
        How the map was made, as plain JSON values.
    """

    facts: dict[str, Any]

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the map, and beside it how it was made.

        Parameters
        ----------
        path : path
            Its suffix says what is written: ``.zarr`` (OME-Zarr with the map and the tiles), ``.tif`` (OME-TIFF of
            32-bit floats, a channel for each class), ``.csv`` (a row for each tile), ``.geojson`` (for QuPath).
        overwrite : bool
            Whether a file may be replaced that was not written by this program.

        Raises
        ------
        OptionError
            It must not or cannot be written.
        """
        with claimed_output(Path(path), lambda there: overwrite) as write:
            write(self, self.facts)


def heatmap(  # noqa: PLR0913 - each is given by its name
    image: engine.ImageLike,
    model: Model | str | Path,
    *,
    tile: int = 512,
    stride: int = 256,
    level: int | None = None,
    microns_per_pixel: float | None = None,
    region: Any = None,
    background: Background = "skip",
    plane: int | Sequence[int] | Mapping[str, int] | None = None,
    intensity: Intensity | None = None,
    profile: Profile | None = None,
    precision: Precision | None = None,
    device: Device | None = None,
    client: Client | None = None,
) -> HeatMap:
    """Classify a large picture tile by tile, and return a map of the probabilities.

    Only the tiles that are needed are read, so the picture may be larger than the memory.

    Parameters
    ----------
    image : path, array, or list of arrays
        OME-Zarr or Zarr, tiled or pyramidal TIFF (OME-TIFF, SVS, NDPI), any other image; an array of numpy, dask, zarr
        or xarray; or the levels of one picture, the full size first. OME-Zarr and most slides need ``pip install
        "napari-webipred[slides]"``.
    model : Model, or anything that `open_model` takes
    tile, stride : int
        Pixels along a tile, and from one tile to the next: of the level or at the resolution that is given, or else
        of the full size. Where tiles overlap, the map has their mean.
    level : int, optional
        Which level of the picture is read; 0 is the full size. By default the coarsest in which a tile has at least
        as many pixels as the model sees.
    microns_per_pixel : float, optional
        The resolution at which tiles are cut, for a picture that says how large its pixels are.
    region : box (top, left, bottom, right), polygon of shape (n, 2), or several of them, optional
        Which part of the picture, in full-size pixels.
    background : "skip" or "keep"
        Whether tiles are left out that show nothing, by a look at a coarse level.
    plane : int, sequence of int, or mapping of str to int, optional
        Which plane of a stack, as for `prepare`.
    intensity, profile, precision, device, client
        As for `classify`. The range of intensities is one for the whole picture.

    Returns
    -------
    HeatMap
        ``values``, float32 of shape (classes, rows, columns), NaN where nothing was classified; ``classes``; ``scale``
        and ``translate``, the place of the map in pixels of the picture, as napari takes them; ``tiles``; ``remark``;
        ``save(path)``.

    Raises
    ------
    OptionError
        Something is not known that is needed, or the tiles do not fit the picture.
    WebIPredError
        The picture cannot be read. A tile that cannot is no error; see `HeatMap.errors`.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> picture = np.random.default_rng(0).integers(0, 256, (1000, 1500, 3), dtype=np.uint8)
    >>> found = wp.heatmap(picture, "demo")
    >>> found.values.shape, found.scale, found.translate
    ((5, 4, 6), (256.0, 256.0), (127.5, 127.5))
    """
    options = options_of(intensity, profile, precision=precision, device=device)
    request = Request(tile, stride, level, microns_per_pixel, region, background)
    opened = model_of(model)
    with remedies_in_notes():
        executor = classify_planes if client is None else Cluster(client)
        picture, index = picture_of(image, place=plane, intensity=options.intensity)
        (apart,) = engine.differences([opened], options)
        with closing(mapping(opened, picture, request, options, plane=index, executor=executor)) as events:
            started = next(events)
            assert isinstance(started, Started)
            found = HeatMap(started)
            for event in events:
                if isinstance(event, TileDone):
                    found.add(event)
        if apart is not None:
            found.notes.append(apart.sentence(opened.card.name))
        found.facts = facts_of(opened, request, options, found, picture)
        return found
