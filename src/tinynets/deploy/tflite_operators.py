"""Rewriting of .tflite operators to the forms of TensorFlow's own converter, which all readers of int8 files support:
TensorFlow Lite Micro, C generators and accelerators.
"""

from typing import Any

# Versions of int8 operators in TensorFlow's op_version.cc; litert-torch and ai-edge-quantizer keep those of fp32.
_INT8_VERSIONS = {
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "MAX_POOL_2D": 2,
    "PAD": 2,
}


FC = "FULLY_CONNECTED"


def with_pools(content: bytes) -> bytes:
    """Replace MEAN over height and width by the equivalent AVERAGE_POOL_2D over the whole map and RESHAPE.

    The TRANSPOSE to channels first that litert-torch inserts before some means is removed.
    """
    model = _read(content)
    for graph in model.subgraphs:
        producers = {operator.outputs[0]: operator for operator in graph.operators}
        result, removed = [], []
        for operator in graph.operators:
            source = _averaged_map(model, graph, operator, producers)
            if source is None:
                result.append(operator)
                continue
            if source != operator.inputs[0]:
                removed.append(producers[operator.inputs[0]])
            result += _pool(model, graph, source, operator)
        graph.operators = [operator for operator in result if all(operator is not other for other in removed)]
    return _written(_without_unused_codes(model))


def with_int8_versions(content: bytes) -> bytes:
    """Set the versions of operators on int8 maps and the options of RESHAPE, and remove `keep_num_dims` from
    FULLY_CONNECTED where input and output are 2-D.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = _read(content)
    for graph in model.subgraphs:
        for operator in graph.operators:
            name = _name(model, operator)
            result = graph.tensors[operator.outputs[0]]
            source = graph.tensors[operator.inputs[0]]
            if name == "RESHAPE" and operator.builtinOptions is None:
                operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
                options: Any = schema.ReshapeOptionsT()
                options.newShape = list(result.shape)
                operator.builtinOptions = options
            if name == "FULLY_CONNECTED" and len(source.shape) == len(result.shape) == 2:
                operator.builtinOptions.keepNumDims = False
            if name in _INT8_VERSIONS and source.type == result.type == schema.TensorType.INT8:
                operator.opcodeIndex = _code(model, name, _INT8_VERSIONS[name])
    return _written(_without_unused_codes(model))


def with_convolutions(content: bytes) -> bytes:
    """Replace an int8 FULLY_CONNECTED by a 1x1 CONV_2D on a map of one pixel, between two RESHAPEs.

    LiteRT's reference kernel rounds a convolution twice, to 32 and then to 8 bits, as integer code generators and
    CMSIS-NN do, but a FULLY_CONNECTED with per-channel scales once (ai-edge-litert 2.3: 13 of 3,000 scores differ by
    one).
    """
    from ai_edge_litert import schema_py_generated as schema

    model = _read(content)
    for graph in model.subgraphs:
        result = []
        for operator in graph.operators:
            source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
            flat = len(source.shape) == len(target.shape) == 2 and source.type == schema.TensorType.INT8
            result += _as_convolution(model, graph, operator) if flat and _name(model, operator) == FC else [operator]
        graph.operators = result
    return with_int8_versions(_written(model))


def operators(content: bytes) -> list[tuple[str, str]]:
    """Return every operator's name in TensorFlow's schema, such as CONV_2D, and the name of its layer in the model."""
    model = _read(content)
    return [
        (_name(model, operator), _layer(graph.tensors[operator.outputs[0]].name.decode()))
        for graph in model.subgraphs
        for operator in graph.operators
    ]


def _layer(tensor: str) -> str:
    """Return the path of the layer in a tensor's name, which consists of `package.Class_attribute` of nested modules.

    After a fused activation the name has two paths: the activation's, then the layer's.
    """
    path = next((path for path in reversed(tensor.split(";")) if "/" in path), tensor)
    parts = [part.rpartition(".")[2].partition("_")[2] for part in path.split("/")]
    return ".".join(filter(None, parts)) or tensor


def _name(model: Any, operator: Any) -> str:
    from ai_edge_litert import schema_py_generated as schema

    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return next(name for name, value in vars(schema.BuiltinOperator).items() if value == number)


def _averaged_map(model: Any, graph: Any, operator: Any, producers: dict[int, Any]) -> int | None:
    """Return the index of the map (N, H, W, C) that a MEAN averages spatially, None for any other operator."""
    source = operator.inputs[0] if len(operator.inputs) else -1
    if _name(model, operator) != "MEAN" or len(graph.tensors[source].shape) != 4:
        return None
    axes = sorted(_values(model, graph, operator.inputs[1]))
    if axes == [1, 2]:
        return source
    producer = producers.get(source)
    if producer is None or _name(model, producer) != "TRANSPOSE":
        return None
    single_use = sum(source in other.inputs for other in graph.operators) == 1 and source not in graph.outputs
    flat = len(graph.tensors[operator.outputs[0]].shape) == 2
    if single_use and flat and axes == [2, 3] and _values(model, graph, producer.inputs[1]) == [0, 3, 1, 2]:
        return producer.inputs[0]
    return None


def _values(model: Any, graph: Any, tensor: int) -> list[int]:
    """Return the values of a constant int32 tensor, empty if it is not constant."""
    import numpy as np

    data = model.buffers[graph.tensors[tensor].buffer].data
    return [] if data is None else np.frombuffer(bytes(data), np.int32).tolist()


def _pool(model: Any, graph: Any, source: int, mean: Any) -> list[Any]:
    """Build the operators that replace a MEAN, reusing the tensor of a transposed map that is no longer needed."""
    from ai_edge_litert import schema_py_generated as schema

    target = mean.outputs[0]
    count, height, width, channels = graph.tensors[source].shape
    pool: Any = schema.OperatorT()
    pool.opcodeIndex = _code(model, "AVERAGE_POOL_2D", 1)
    pool.builtinOptionsType = schema.BuiltinOptions.Pool2DOptions
    options: Any = schema.Pool2DOptionsT()
    pool.builtinOptions = options
    options.padding = schema.Padding.VALID
    options.filterHeight, options.filterWidth, options.strideH, options.strideW = height, width, height, width
    pool.inputs, pool.outputs = [source], [target]
    if len(graph.tensors[target].shape) == 4:
        return [pool]
    if mean.inputs[0] == source:
        pooled = _tensor(model, graph, "pooled", [count, 1, 1, channels], graph.tensors[source].type)
    else:
        pooled = mean.inputs[0]
        graph.tensors[pooled].shape, graph.tensors[pooled].shapeSignature = [count, 1, 1, channels], None
    pool.outputs = [pooled]
    return [pool, _reshape(model, graph, pooled, target)]


def _as_convolution(model: Any, graph: Any, linear: Any) -> list[Any]:
    from ai_edge_litert import schema_py_generated as schema

    (source, filters, *bias), target = linear.inputs, linear.outputs[0]
    rows, columns = graph.tensors[filters].shape
    graph.tensors[filters].shape = [rows, 1, 1, columns]
    maps = []
    for index, channels in ((source, columns), (target, rows)):
        flat = graph.tensors[index]
        reshaped = _tensor(model, graph, f"{flat.name.decode()}_map", [flat.shape[0], 1, 1, channels], flat.type)
        graph.tensors[reshaped].quantization = flat.quantization
        maps.append(reshaped)
    convolution: Any = schema.OperatorT()
    convolution.opcodeIndex = _code(model, "CONV_2D", 3)
    convolution.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    options: Any = schema.Conv2DOptionsT()
    convolution.builtinOptions = options
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = linear.builtinOptions.fusedActivationFunction
    convolution.inputs, convolution.outputs = [maps[0], filters, *bias], [maps[1]]
    return [_reshape(model, graph, source, maps[0]), convolution, _reshape(model, graph, maps[1], target)]


def _reshape(model: Any, graph: Any, source: int, target: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    sides = list(graph.tensors[target].shape)
    shape = _tensor(
        model, graph, f"{graph.tensors[target].name.decode()}_shape", [len(sides)], schema.TensorType.INT32, sides
    )
    reshape: Any = schema.OperatorT()
    reshape.opcodeIndex = _code(model, "RESHAPE", 1)
    reshape.inputs, reshape.outputs = [source, shape], [target]
    return reshape


def _tensor(model: Any, graph: Any, name: str, shape: list[int], kind: int, values: list[int] | None = None) -> int:
    """Add a tensor to a graph, optionally with int32 values; return its index."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    tensor: Any = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.hasRank = name.encode(), shape, kind, True
    tensor.buffer = len(model.buffers)
    buffer: Any = schema.BufferT()
    if values is not None:
        buffer.data = np.frombuffer(np.array(values, np.int32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _code(model: Any, name: str, version: int) -> int:
    """Return the index of an operator code, appending it if necessary."""
    from ai_edge_litert import schema_py_generated as schema

    number = getattr(schema.BuiltinOperator, name)
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == number and code.version == version:
            return index
    code: Any = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _without_unused_codes(model: Any) -> Any:
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    model.operatorCodes = [model.operatorCodes[index] for index in used]
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    return model


def _read(content: bytes) -> Any:
    from ai_edge_litert.tools import flatbuffer_utils

    return flatbuffer_utils.read_model_from_bytearray(bytearray(content))


def _written(model: Any) -> bytes:
    from ai_edge_litert.tools import flatbuffer_utils

    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
