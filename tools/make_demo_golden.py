"""Make tests/goldens/demo_model.json: what TensorFlow.js says of the sample images with the demo model.

    npm install --prefix FOLDER @tensorflow/tfjs@4.22.0
    python tools/make_demo_golden.py FOLDER

Run it after make_demo_model.py. Needs Node 18 or newer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import zipfile
from pathlib import Path

import numpy as np

import napari_webipred as wp
from napari_webipred.imaging.preprocess import prepare
from napari_webipred.imaging.readers import file_source, read
from napari_webipred.samples import sample_images

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "src" / "napari_webipred" / "catalogue" / "cards" / "demo.zip"
GOLDEN = ROOT / "tests" / "goldens" / "demo_model.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where @tensorflow/tfjs 4.22 is installed")
    folder: Path = parser.parse_args().folder
    (card,) = (card for card in wp.list_models() if card.id == "demo")
    inputs = [prepare(read(file_source(path), ()), card.input, card.preprocessing)[0] for path in sample_images()]
    with zipfile.ZipFile(DEMO) as archive:
        described = json.loads(archive.read("model.json"))
        data = np.frombuffer(archive.read("weights.bin"), "<f4")
    weights, at = {}, 0
    for entry in described["weightsManifest"][0]["weights"]:
        count = int(np.prod(entry["shape"]))
        weights[entry["name"]] = {"shape": entry["shape"], "values": data[at : at + count].tolist()}
        at += count
    batch = np.stack(inputs)
    case = {
        "topology": described["modelTopology"]["model_config"],
        "weights": weights,
        "input": {"shape": list(batch.shape), "values": batch.ravel().tolist()},
    }
    with tempfile.TemporaryDirectory() as scratch:
        given, made = Path(scratch, "cases.json"), Path(scratch, "outputs.json")
        given.write_text(json.dumps({"demo": case}), encoding="utf-8")
        subprocess.run(["node", Path(__file__).with_name("make_goldens.mjs"), folder, given, made], check=True)
        rows = np.reshape(json.loads(made.read_text(encoding="utf-8"))["demo"]["values"], (len(inputs), -1))
    golden = {path.name: [float(f"{p:.7g}") for p in row] for path, row in zip(sample_images(), rows, strict=True)}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
