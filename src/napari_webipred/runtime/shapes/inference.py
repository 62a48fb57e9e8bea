"""Shape inference for a whole graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from napari_webipred import limits
from napari_webipred.errors import LimitError, ModelError
from napari_webipred.runtime.onnx_graph import ELEMENT_TYPES, OnnxGraph, Operation
from napari_webipred.runtime.shapes.elementwise import described
from napari_webipred.runtime.shapes.folding import folded
from napari_webipred.runtime.shapes.operator import RULES, Operator
from napari_webipred.runtime.shapes.value import Shape, Value


def infer(graph: OnnxGraph, inputs: Mapping[str, Shape]) -> dict[str, Value]:
    """Infer the shape of every tensor.

    Only small constants are computed, so memory and time do not depend on the size of the tensors.

    Parameters
    ----------
    graph : OnnxGraph
        With operations in an order in which they can run.
    inputs : mapping of str to tuple of int
        The shapes of the inputs.

    Returns
    -------
    dict of str to Value
        By name, in the order in which they are computed.

    Raises
    ------
    LimitError
        An operator is unsupported, or its output shape is known only at run time.
    ModelError
        The inputs of an operation do not match.
    """
    values = {name: described(constant) for name, constant in graph.constants.items()}
    for name, shape in inputs.items():
        values[name] = Value(graph.inputs[name].element_type, shape)
    for value in values.values():
        _check_type(value.element_type)
    for operation in graph.operations:
        made = _made(graph, operation, values)
        values.update((name, value) for name, value in zip(operation.outputs, made, strict=True) if name)
    return values


def _made(graph: OnnxGraph, operation: Operation, values: Mapping[str, Value]) -> Sequence[Value]:
    rule = RULES.get(operation.kind)
    if rule is None:
        raise LimitError(
            f"The operator {operation.kind[:80]} is unsupported: its memory use is unknown.",
            "Export the model again with other operators, or ask the developers of napari-webipred to support it.",
        )
    domain = operation.kind.rpartition(".")[0]
    given = tuple(values[name] if name else None for name in operation.inputs)
    operator = Operator(operation, given, graph.opsets.get(domain, 1))
    try:
        found = rule(operator)
        made = _with_numbers(operator, [found] if isinstance(found, Value) else list(found))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # its inputs may be anything
        raise operator.refuse("does not match its inputs") from error
    for value in made:
        _check_type(value.element_type)
        if min(value.shape, default=1) < 0 or value.size > limits.TENSOR_NUMBERS:
            raise LimitError(
                f"The operation {operation.kind[:80]} outputs a tensor of shape {list(value.shape)[:16]}, which is too "
                "large.",
                "Choose a smaller model.",
            )
    return made


def _with_numbers(operator: Operator, made: Sequence[Value]) -> Sequence[Value]:
    """Drop outputs that the operation does not list, and compute small constants."""
    if operator.count > len(made):
        raise operator.refuse(f"has {operator.count} outputs instead of {len(made)}")
    made = made[: operator.count]
    if made and all(value is None or value.constant for value in operator.values):
        made = [Value(value.element_type, value.shape, value.numbers, constant=True) for value in made]
    numbers = folded(operator, made) if made and made[0].numbers is None else None
    if numbers is None:
        return made
    return [
        Value(value.element_type, value.shape, known, constant=True) for value, known in zip(made, numbers, strict=True)
    ]


def _check_type(element_type: int) -> None:
    if element_type not in ELEMENT_TYPES:
        raise ModelError(
            f"The model has tensors of the ONNX type {element_type}, which is unsupported.",
            "Export the model again in 32-bit floating point.",
        )
