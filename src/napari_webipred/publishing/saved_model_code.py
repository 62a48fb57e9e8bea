"""What a SavedModel would execute in TensorFlow: all operations that its signatures reach, whatever they are for."""

from __future__ import annotations

from collections.abc import Iterator

from napari_webipred.errors import ModelError
from napari_webipred.runtime.protobuf import Message

_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
# What hands values on, beside the operations that this program computes itself.
_HARMLESS = {
    *("Placeholder", "PlaceholderWithDefault", "Const", "NoOp", "Identity", "IdentityN", "StopGradient", "Assert"),
    *("VarHandleOp", "ReadVariableOp", "VarIsInitializedOp", "DisableCopyOnRead", "ResourceGather"),
}
_MOST = 200_000  # operations
_AGAIN = "Save the model again, for prediction: model.export(folder) in Keras 3."


def foreign_operations(content: bytes) -> list[str]:
    """Name the operations that a SavedModel would execute and that this program does not know as mere arithmetic.

    Followed are the outputs of all signatures and what has to run before them; of a function that is called, every
    operation counts.

    Parameters
    ----------
    content : bytes
        Of ``saved_model.pb``.

    Raises
    ------
    ModelError
        The file is damaged or absurdly large.
    """
    from napari_webipred.runtime.operations import OPERATIONS

    allowed = _HARMLESS | _CALLS | set(OPERATIONS)
    found = (kind for meta in Message(content).messages(2) for kind in _executed(meta))
    return sorted({kind for kind in found if kind not in allowed})


def _executed(meta: Message) -> Iterator[str]:
    """Yield the types of all operations that a graph with its functions executes."""
    graph = meta.message(2)
    nodes = {node.text(1): node for node in graph.messages(1)}
    functions = {each.message(1).text(1): each for each in graph.message(2).messages(1)}
    todo, seen, called = _roots(meta), set[str](), set[str]()
    while todo:
        name = todo.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        node = nodes[name]
        yield node.text(2)
        todo += [reference.removeprefix("^").partition(":")[0] for reference in node.texts(3)]
        yield from _of_functions(node, functions, called)
        if len(seen) > _MOST:
            raise ModelError("The SavedModel has too many operations.", _AGAIN)


def _roots(meta: Message) -> list[str]:
    """Return the operations at which TensorFlow begins: the outputs of signatures, and what initialises a model."""
    signatures = [entry.message(2) for entry in meta.messages(5)]
    outputs = [each.message(2).text(1) for signature in signatures for each in signature.messages(2)]
    listed = [name for entry in meta.messages(4) for name in entry.message(2).message(1).texts(1)]
    return [name.partition(":")[0] for name in (*outputs, *listed)]


def _of_functions(node: Message, functions: dict[str, Message], called: set[str]) -> Iterator[str]:
    """Yield the types of all operations in the functions that an operation calls, and in those that these call."""
    todo = [node]
    while todo:
        for name in _named(todo.pop()):
            if name in functions and name not in called:
                called.add(name)
                body = list(functions[name].messages(3))
                yield from (each.text(2) for each in body)
                todo += body
        if len(called) > _MOST:
            raise ModelError("The SavedModel has too many functions.", _AGAIN)


def _named(node: Message) -> Iterator[str]:
    """Yield the functions that stand in the attributes of an operation, alone or in a list."""
    for entry in node.messages(5):
        value = entry.message(2)
        yield from (view.text(1) for view in value.messages(10))
        yield from (view.text(1) for view in value.message(1).messages(9))
