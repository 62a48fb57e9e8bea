"""What a SavedModel would execute in TensorFlow: when it is opened, and when its signatures are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from napari_webipred.errors import ModelError
from napari_webipred.runtime.protobuf import Message

_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
# What hands values on, beside the operations that this program computes itself.
_HARMLESS = {
    *("Placeholder", "PlaceholderWithDefault", "Const", "NoOp", "Identity", "IdentityN", "StopGradient", "Assert"),
    *("VarHandleOp", "ReadVariableOp", "VarIsInitializedOp", "DisableCopyOnRead", "ResourceGather"),
    *("RestoreV2", "AssignVariableOp", "Assign", "VariableV2"),  # the weights; what saves them writes files
}
_MOST = 200_000  # operations
_AGAIN = "Save the model again, for prediction: model.export(folder) in Keras 3."


def foreign_operations(content: bytes) -> list[str]:
    """Name the operations that a SavedModel would execute and that this program does not know as mere arithmetic.

    Followed are the outputs of all signatures, what TensorFlow runs when it opens a model (what initialises and
    restores), and what has to run before them; of a function that is called, every operation counts.

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
    nodes = _by_name((node, node) for node in graph.messages(1))
    functions = _by_name((each.message(1), each) for each in graph.message(2).messages(1))
    todo, seen, called = _roots(meta), set[str](), set[str]()
    yield from _of_functions(_first_functions(meta, functions), functions, called)
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in nodes.get(name, []):
            yield from node.texts(2)
            todo += [reference.removeprefix("^").partition(":")[0] for reference in node.texts(3)]
            yield from _of_functions(_named(node), functions, called)
        if len(seen) > _MOST:
            raise ModelError("The SavedModel has too many operations.", _AGAIN)


def _by_name(named: Iterable[tuple[Message, Message]]) -> dict[str, list[Message]]:
    """Find messages by all that may be their names: of fields that stand twice, another program may take the other."""
    found: dict[str, list[Message]] = {}
    for holder, message in named:
        for name in holder.texts(1):
            found.setdefault(name, []).append(message)
    return found


def _roots(meta: Message) -> list[str]:
    """Return the operations at which TensorFlow begins: the outputs of signatures, what initialises, what restores."""
    signatures = [entry.message(2) for entry in meta.messages(5)]
    outputs = [name for each in signatures for output in each.messages(2) for name in output.message(2).texts(1)]
    collections = [entry.message(2) for entry in meta.messages(4)]
    listed = [name for each in collections for name in each.message(1).texts(1)]
    # TensorFlow 1: local variables, of which each names its initialiser; other collections of bytes name no such thing.
    local = [
        name
        for entry in meta.messages(4)
        if "local_variables" in entry.texts(1)
        for variable in entry.message(2).message(2).messages(1)
        for name in variable.texts(2)
    ]
    restoring = meta.message(3).texts(3)
    return [name.partition(":")[0] for name in (*outputs, *listed, *local, *restoring)]


def _first_functions(meta: Message, functions: dict[str, list[Message]]) -> list[str]:
    """Return the functions that TensorFlow calls by itself when it opens a model, or may call instead of another one.

    These are the functions of resources, what saves and restores objects, and what takes the place of a method of
    TensorFlow's own objects, all of which begin with an underscore. One that implements the same as another one may
    be called instead of that.
    """
    objects = list(meta.message(7).messages(1))
    todo = []
    for each in objects:
        for reference in (*each.messages(1), *each.messages(15)):
            hook = any(name.startswith("_") and name != "__call__" for name in reference.texts(2))
            if hook or each.has(10):
                todo.append(reference.integer(1))
        for entry in each.messages(11):
            todo += [entry.message(2).integer(2), entry.message(2).integer(3)]
    names = [name for name, known in functions.items() if any(map(_is_one_of_several, known))]
    seen = set[int]()
    while todo:
        number = todo.pop()
        if number in seen or not 0 <= number < len(objects):
            continue
        seen.add(number)
        names += [*objects[number].message(6).texts(1), *objects[number].message(8).texts(1)]
        todo += [each.integer(1) for each in objects[number].messages(1) if "__call__" in each.texts(2)]
    return names


def _is_one_of_several(function: Message) -> bool:
    return any("api_implements" in entry.texts(1) for entry in function.messages(5))


def _of_functions(names: Iterable[str], functions: dict[str, list[Message]], called: set[str]) -> Iterator[str]:
    """Yield the types of all operations in functions, and in those that these call."""
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in functions or name in called:
            continue
        called.add(name)
        for node in (node for function in functions[name] for node in function.messages(3)):
            yield from node.texts(2)
            todo += _named(node)
        if len(called) > _MOST:
            raise ModelError("The SavedModel has too many functions.", _AGAIN)


def _named(node: Message) -> Iterator[str]:
    """Yield the functions that stand in the attributes of an operation, alone or in a list."""
    for entry in node.messages(5):
        value = entry.message(2)
        for view in (*value.messages(10), *value.message(1).messages(9)):
            yield from view.texts(1)
