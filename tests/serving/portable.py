"""What the signatures of every model must be: equal to it, in plain operations.

The operations are those that ONNX Runtime, OpenVINO and LiteRT were seen to read; none
of them has a Cholesky factorisation or TFP's broadcasts of unknown shapes.
"""

import numpy as np
import tensorflow as tf

PORTABLE = ("encode", "decode", "reconstruct", "edit")
PLAIN = {
    *("AddV2", "ArgMax", "BatchMatMulV2", "BiasAdd", "Cast", "ConcatV2", "Const"),
    *("Conv2D", "Conv2DBackpropInput", "EnsureShape", "Equal", "Exp", "ExpandDims"),
    *("Fill", "Identity", "LeakyRelu", "MatMul", "Maximum", "Mean", "Minimum", "Mul"),
    *("Neg", "NoOp", "OneHot", "OnesLike", "Pack", "PartitionedCall", "Placeholder"),
    *("ReadVariableOp", "RealDiv", "Relu", "Reshape", "Round", "Rsqrt", "SelectV2"),
    *("Shape", "Sigmoid", "Softmax", "Softplus", "Split", "SplitV", "Sqrt", "Squeeze"),
    *("StatefulPartitionedCall", "StridedSlice", "Sub", "Sum", "Tanh"),
}


def operations(function):
    """The names of all operations of a traced function, inner ones too."""
    graph = function.get_concrete_function().graph.as_graph_def()
    nodes = [graph.node, *(inner.node_def for inner in graph.library.function)]
    return {node.op for some in nodes for node in some}


def expected(model, images, codes):
    """What the model's own methods answer to the four portable signatures."""
    posterior = model.posterior(tf.constant(images))
    kinds = [column.num_values is None for column in model.columns]
    encoded = {f"probabilities_{n}": p for n, p in posterior.probabilities().items()}
    if any(kinds):
        stddev = np.asarray(posterior.stddev())[:, kinds]
        encoded |= {"mean": posterior.mean(), "stddev": stddev}
    if not all(kinds):
        encoded["codes"] = codes
    space = getattr(model.latents, "parts", (model.latents,))[0]
    if getattr(space, "covariance", "") == "full":
        encoded["covariance"] = posterior.covariance()
    edited = codes.copy()
    edited[:, -1] = codes[::-1, -1]
    return {
        "encode": encoded,
        "decode": {"images": model.decode(codes)},
        "reconstruct": {"reconstructions": model.reconstruct(images)},
        "edit": {"images": model.decode(edited)},
    }


def questions(model, images, codes):
    """The inputs of the four portable signatures."""
    latent = np.full(len(codes), len(model.columns) - 1, np.int32)
    value = codes[::-1, -1].copy()
    return {
        "encode": {"images": images},
        "decode": {"codes": codes},
        "reconstruct": {"images": images},
        "edit": {"codes": codes, "latent": latent, "value": value},
    }


def check_answers(served, model, images, codes):
    """Checks loaded or traced signatures against the model's own methods."""
    asked = questions(model, images, codes)
    for name, answers in expected(model, images, codes).items():
        inputs = {key: tf.constant(value) for key, value in asked[name].items()}
        answer = served[name](**inputs)
        assert set(answer) == set(answers), name
        for key, value in answers.items():
            scale = max(1.0, float(np.abs(value).max()))
            np.testing.assert_allclose(answer[key], value, rtol=1e-5, atol=1e-5 * scale)


def check_signatures(model, images, codes):
    """Checks that the portable signatures are the model, in plain operations."""
    made = {name: model.signatures()[name] for name in PORTABLE}
    unknown = {name: operations(function) - PLAIN for name, function in made.items()}
    assert not any(unknown.values()), unknown
    for name, function in made.items():
        for tensor in function.get_concrete_function().outputs:
            assert tensor.shape[0] is None and None not in tensor.shape[1:], name
    check_answers({n: by_name(f) for n, f in made.items()}, model, images, codes)


def by_name(function):
    """A traced signature called as a loaded one is: with its inputs by name."""
    names = [spec.name for spec in function.input_signature]
    return lambda **inputs: function(*(inputs[name] for name in names))
