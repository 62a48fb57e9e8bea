"""Make models as people have them, for ``tools/walk.py``: with TensorFlow 2.16 or newer, and onnx.

    python tools/make_walk_models.py FOLDER [--teachable-machine EXPORT]

EXPORT is a folder with a TensorFlow.js export of Teachable Machine, which is copied. The others have random weights.
"""

from __future__ import annotations

import argparse
import shutil
import zipfile
from pathlib import Path

import keras
import onnx
from keras import layers

SIZE = 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--teachable-machine", type=Path)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(1)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    own_keras(arguments.folder / "1 own keras")
    teachable_keras(arguments.folder / "3 teachable machine keras")
    external_data(arguments.folder / "4 onnx with external data")
    network(1, "sigmoid").save(folder_of(arguments.folder / "5 sigmoid without names") / "malaria.keras")
    several_outputs(arguments.folder / "6 several outputs")
    segmentation(arguments.folder / "7 segmentation")
    network(1, None).save(folder_of(arguments.folder / "8 one number") / "age.keras")
    if arguments.teachable_machine:
        shutil.copytree(
            arguments.teachable_machine,
            arguments.folder / "2 teachable machine tfjs",
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("*.npy", "oracle.json", "LICENSE", "PROVENANCE.txt"),
        )


def folder_of(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def body(inputs):
    found = layers.Rescaling(1 / 255)(inputs)
    for filters in (8, 16, 32):
        found = layers.Conv2D(filters, 3, strides=2, activation="relu")(found)
    return layers.GlobalAveragePooling2D()(found)


def network(classes: int, activation: str | None) -> keras.Model:
    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, layers.Dense(classes, activation=activation)(body(inputs)))


def own_keras(folder: Path) -> None:
    network(3, "softmax").save(folder_of(folder) / "tissue.keras")
    (folder / "labels.txt").write_text("adipose\nstroma\ntumour\n")


def teachable_keras(folder: Path) -> None:
    features = keras.applications.MobileNetV2((224, 224, 3), alpha=0.35, include_top=False, weights=None)
    first = keras.Sequential([keras.Input((224, 224, 3)), features, layers.GlobalAveragePooling2D()])
    last = keras.Sequential(
        [keras.Input((1280,)), layers.Dense(100, "relu"), layers.Dense(2, "softmax", use_bias=False)]
    )
    model = keras.Sequential([keras.Input((224, 224, 3)), first, last])
    file = folder_of(folder) / "keras_model.h5"
    model.save(file)
    with zipfile.ZipFile(folder / "converted_keras.zip", "w") as archive:
        archive.write(file, file.name)
        archive.writestr("labels.txt", "0 healthy\n1 blight\n")
    file.unlink()


def external_data(folder: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    chance = keras.random.SeedGenerator(1)
    kernel = keras.ops.convert_to_numpy(keras.random.normal((4, 3, 3, 3), seed=chance))
    dense = keras.ops.convert_to_numpy(keras.random.normal((4, 3), seed=chance))
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["found"], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["found"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(dense, "dense")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(
        model,
        folder_of(folder) / "cells.onnx",
        save_as_external_data=True,
        location="cells.onnx.data",
        size_threshold=0,
    )


def several_outputs(folder: Path) -> None:
    inputs = keras.Input((SIZE, SIZE, 3))
    found = body(inputs)
    outputs = {
        "stain": layers.Dense(2, "softmax", name="stain")(found),
        "tissue": layers.Dense(4, "softmax", name="tissue")(found),
    }
    keras.Model(inputs, outputs).save(folder_of(folder) / "two heads.keras")


def segmentation(folder: Path) -> None:
    inputs = keras.Input((SIZE, SIZE, 3))
    masks = layers.Conv2D(2, 1, activation="softmax")(inputs)
    keras.Model(inputs, masks).save(folder_of(folder) / "nuclei.keras")


if __name__ == "__main__":
    main()
