"""Our messages and tensorflow-serving-api's are the same bytes, both ways."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

from tf_disentangle.serving.client import messages, tensors

THEIRS = {
    "Tensor": tensor_pb2.TensorProto,
    "ModelSpec": model_pb2.ModelSpec,
    "PredictRequest": predict_pb2.PredictRequest,
    "PredictResponse": predict_pb2.PredictResponse,
    "GetModelMetadataRequest": get_model_metadata_pb2.GetModelMetadataRequest,
    "GetModelMetadataResponse": get_model_metadata_pb2.GetModelMetadataResponse,
    "SignatureDefMap": get_model_metadata_pb2.SignatureDefMap,
    "GetModelStatusRequest": get_model_status_pb2.GetModelStatusRequest,
    "GetModelStatusResponse": get_model_status_pb2.GetModelStatusResponse,
}
ARRAYS = [
    np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1),
    np.array([[-1.5, 2.5e-38, np.inf]], np.float32),
    np.array([np.pi, -0.0]),
    np.array([-(2**31), 2**31 - 1], np.int32),
    np.array([2**62], np.int64),
    np.array([True, False]),
    np.array([1.5, -2.0], np.float16),
    np.array([-3, 3], np.int8),
    np.array([2**32 - 1], np.uint32),
    np.array([2**64 - 1], np.uint64),
    np.array([b"\x89PNG\r\n", b""], object),
    np.zeros((0, 5), np.float32),
    np.array(7, np.int32),
]


def same_fields(ours, theirs):
    """Compares descriptors: each field of ours is theirs, number, type and kind."""
    for field in ours.fields:
        other = theirs.fields_by_name[field.name]
        assert other.number == field.number, field.full_name
        assert other.is_repeated == field.is_repeated, field.full_name
        # An enumeration is an int32 on the wire.
        enums = {other.TYPE_ENUM: other.TYPE_INT32}
        assert enums.get(other.type, other.type) == field.type, field.full_name
        if field.message_type is not None:
            same_fields(field.message_type, other.message_type)


@pytest.mark.parametrize("name", THEIRS)
def test_every_field_is_theirs(name):
    same_fields(getattr(messages, name).DESCRIPTOR, THEIRS[name].DESCRIPTOR)


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{list(a.shape)}")
def test_arrays_go_both_ways(array):
    """TensorFlow reads our bytes, and we read its bytes, typed or not."""
    theirs = tensor_pb2.TensorProto.FromString(
        tensors.to_message(array).SerializeToString()
    )
    np.testing.assert_array_equal(tf.make_ndarray(theirs), array)
    assert tf.make_ndarray(theirs).dtype == array.dtype
    back = tf.make_tensor_proto(array, shape=array.shape)
    for message in (back, typed(back)):
        read = tensors.from_message(
            messages.Tensor.FromString(message.SerializeToString())
        )
        np.testing.assert_array_equal(read, array)
        assert read.dtype == array.dtype
        assert read.shape == array.shape


def typed(proto):
    """The same tensor with its values in the typed field, as a server sends it."""
    array = tf.make_ndarray(proto)
    other = tensor_pb2.TensorProto(dtype=proto.dtype, tensor_shape=proto.tensor_shape)
    field = {
        **{"f4": "float_val", "f8": "double_val", "i8": "int64_val"},
        **{"b1": "bool_val", "f2": "half_val", "u4": "uint32_val"},
        **{"u8": "uint64_val", "O": "string_val"},
    }.get(array.dtype.str[1:], "int_val")
    values = array.view(np.uint16) if field == "half_val" else array
    getattr(other, field).extend(np.ravel(values).tolist())
    return other


def test_a_short_typed_field_repeats_its_last_value():
    proto = tf.make_tensor_proto(2.5, shape=[2, 3])  # One value is stored.
    assert len(proto.float_val) == 1
    read = tensors.from_message(messages.Tensor.FromString(proto.SerializeToString()))
    np.testing.assert_array_equal(read, np.full((2, 3), 2.5, np.float32))
    empty = messages.Tensor(dtype=1)
    empty.tensor_shape.dim.add(size=2)
    np.testing.assert_array_equal(
        tensors.from_message(empty),
        tf.make_ndarray(tensor_pb2.TensorProto.FromString(empty.SerializeToString())),
    )


@pytest.mark.parametrize("version", [None, 3, "stable"])
def test_requests_go_both_ways(version):
    ours = messages.PredictRequest(output_filter=["mean"])
    ours.model_spec.name, ours.model_spec.signature_name = "chyvae", "encode"
    if isinstance(version, int):
        ours.model_spec.version.value = version
    elif version:
        ours.model_spec.version_label = version
    ours.inputs["images"].CopyFrom(tensors.to_message(ARRAYS[0]))
    theirs = predict_pb2.PredictRequest.FromString(ours.SerializeToString())
    assert theirs.model_spec.name == "chyvae"
    kind = {None: None, 3: "version", "stable": "version_label"}[version]
    assert theirs.model_spec.WhichOneof("version_choice") == kind
    assert list(theirs.output_filter) == ["mean"]
    np.testing.assert_array_equal(tf.make_ndarray(theirs.inputs["images"]), ARRAYS[0])
    again = messages.PredictRequest.FromString(theirs.SerializeToString())
    assert again == ours


def test_the_tables_are_theirs():
    states = get_model_status_pb2.ModelVersionStatus.State.items()
    assert {number: name for name, number in states} == messages.STATES
    assert list(messages.CODES) == [
        code.name for code in sorted(grpc.StatusCode, key=lambda c: c.value[0])
    ]
    for number, name, dtype, _ in tensors._TYPES:
        assert types_pb2.DataType.Name(number) == name
        assert np.dtype(tf.as_dtype(number).as_numpy_dtype) == np.dtype(dtype)


def test_an_unknown_type_is_told():
    tensor = messages.Tensor(dtype=int(tf.bfloat16.as_datatype_enum))
    with pytest.raises(ValueError, match="type number 14"):
        tensors.from_message(tensor)
