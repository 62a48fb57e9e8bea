"""The panel, sample data and readers for napari: the only place that imports napari, Qt and magicgui."""
