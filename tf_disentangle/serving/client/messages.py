"""TensorFlow Serving's messages, without TensorFlow.

Field names, numbers and types are those of tensorflow_serving/apis and of TensorFlow's
tensor.proto, so that the bytes are the same; fields that a client does not need are
left out, and protobuf skips them. The package has a name of its own, since two
definitions of one name in a process clash.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    wrappers_pb2,
)

#: gRPC's status codes by number, which are TensorFlow's too.
CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED"),
    *("NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"),
    *("FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL"),
    *("UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
#: States of a version, by number.
STATES = {
    10 * k: name
    for k, name in enumerate(
        ("UNKNOWN", "START", "LOADING", "AVAILABLE", "UNLOADING", "END")
    )
}

# message: {field: (number, type)}; "* " is repeated, "> " a map from strings, "? " one
# of several of which at most one is set. Enumerations are int32, as on the wire.
_MESSAGES = {
    "Dim": {"size": (1, "int64"), "name": (2, "string")},
    "TensorShape": {"dim": (2, "* Dim"), "unknown_rank": (3, "bool")},
    "Tensor": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "TensorShape"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "* float"),
        "double_val": (6, "* double"),
        "int_val": (7, "* int32"),
        "string_val": (8, "* bytes"),
        "int64_val": (10, "* int64"),
        "bool_val": (11, "* bool"),
        "half_val": (13, "* int32"),
        "uint32_val": (16, "* uint32"),
        "uint64_val": (17, "* uint64"),
    },
    "ModelSpec": {
        "name": (1, "string"),
        "version": (2, "? google.protobuf.Int64Value"),
        "signature_name": (3, "string"),
        "version_label": (4, "? string"),
    },
    "PredictRequest": {
        "model_spec": (1, "ModelSpec"),
        "inputs": (2, "> Tensor"),
        "output_filter": (3, "* string"),
    },
    "PredictResponse": {"outputs": (1, "> Tensor"), "model_spec": (2, "ModelSpec")},
    "GetModelMetadataRequest": {
        "model_spec": (1, "ModelSpec"),
        "metadata_field": (2, "* string"),
    },
    "GetModelMetadataResponse": {
        "model_spec": (1, "ModelSpec"),
        "metadata": (2, "> google.protobuf.Any"),
    },
    "SignatureDefMap": {"signature_def": (1, "> SignatureDef")},
    "SignatureDef": {
        "inputs": (1, "> TensorInfo"),
        "outputs": (2, "> TensorInfo"),
        "method_name": (3, "string"),
    },
    "TensorInfo": {
        "name": (1, "string"),
        "dtype": (2, "int32"),
        "tensor_shape": (3, "TensorShape"),
    },
    "GetModelStatusRequest": {"model_spec": (1, "ModelSpec")},
    "GetModelStatusResponse": {"model_version_status": (1, "* ModelVersionStatus")},
    "ModelVersionStatus": {
        "version": (1, "int64"),
        "state": (2, "int32"),
        "status": (3, "Status"),
    },
    "Status": {"error_code": (1, "int32"), "error_message": (2, "string")},
}
_PACKAGE = "tf_disentangle.serving"
_FIELD = descriptor_pb2.FieldDescriptorProto


def _set_type(field: Any, kind: str) -> None:
    """Gives a field its type: one of protobuf's, or one of the tables'."""
    if kind in _MESSAGES or "." in kind:
        full = kind if "." in kind else f"{_PACKAGE}.{kind}"
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".{full}"
    else:
        field.type = getattr(_FIELD, f"TYPE_{kind.upper()}")


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    """Adds one field of the table to a message."""
    mark, _, rest = kind.rpartition(" ")
    label = _FIELD.LABEL_REPEATED if mark in ("*", ">") else _FIELD.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if mark == ">":  # A map is a list of entries of key and value.
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, rest)
        field.type = _FIELD.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{message.name}.{entry.name}"
        return
    _set_type(field, rest)
    if mark == "?":
        if not message.oneof_decl:
            message.oneof_decl.add(name="choice")
        field.oneof_index = 0


def _classes() -> dict[str, Any]:
    """Returns the message classes by their names in the table."""
    file = descriptor_pb2.FileDescriptorProto(
        name="tf_disentangle/serving/client.proto", package=_PACKAGE, syntax="proto3"
    )
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, wrappers_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
        file.dependency.append(known.DESCRIPTOR.name)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            _add_field(message, field, number, kind)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")
        )
        for name in _MESSAGES
    }


_CLASSES = _classes()
Tensor = _CLASSES["Tensor"]
ModelSpec = _CLASSES["ModelSpec"]
PredictRequest = _CLASSES["PredictRequest"]
PredictResponse = _CLASSES["PredictResponse"]
GetModelMetadataRequest = _CLASSES["GetModelMetadataRequest"]
GetModelMetadataResponse = _CLASSES["GetModelMetadataResponse"]
SignatureDefMap = _CLASSES["SignatureDefMap"]
GetModelStatusRequest = _CLASSES["GetModelStatusRequest"]
GetModelStatusResponse = _CLASSES["GetModelStatusResponse"]
