"""Pictures that are too large to be one image of a model: a probability for each tile.

`mapping.mapping` is the pipeline: a generator of plain-data events, which the command line, the Python function and the
panel draw. `tile_map.TileMap` gathers them into a map.

- **Cancel** by closing the generator: what is under way ends, and the tiles that have come stay valid.
- **Continue** by giving the tiles that are done (``TileMap.done``): only the others are computed.
- **Elsewhere**: tiles are planes like any other. ``mapping(..., executor=...)`` takes any
  `napari_webipred.execution.Executor` and hands it `Plane` objects, whose source has the reader ``"window"``. Of a
  file, such a plane pickles to about a kilobyte: the path, the level, and the row and column of the tile; the process
  that classifies it opens the file itself and keeps it open for the next tile. Tiles come in an order in which
  neighbours follow one another, so an executor that sends several consecutive planes together lets a worker decode each
  stored block once. Of an array in memory, its pixels would travel with each plane. Blank tiles are left out before the
  executor sees them, by the process that calls it.
"""
