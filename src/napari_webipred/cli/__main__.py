"""``python -m napari_webipred.cli``."""

from napari_webipred.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
