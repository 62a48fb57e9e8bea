"""The public functions, which `napari_webipred` passes on."""
