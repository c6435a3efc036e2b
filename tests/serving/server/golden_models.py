"""Models of known answers, for our server and for a real TensorFlow Serving.

    python tests/serving/server/golden_models.py /tmp/golden
    docker run -p 8501:8501 -v /tmp/golden:/tmp/golden tensorflow/serving \
        --model_config_file=/tmp/golden/models.config \
        --allow_version_labels_for_unavailable_models
    TF_SERVING_URL=http://localhost:8501 pytest tests/serving/server/test_golden.py
"""

import pathlib
import sys

import tensorflow as tf

CONFIG = """model_config_list {{
  config {{ name: "half_plus_two" base_path: "{folder}/half_plus_two"
    model_platform: "tensorflow" version_labels {{ key: "stable" value: 123 }} }}
  config {{ name: "golden" base_path: "{folder}/golden" model_platform: "tensorflow" }}
}}
"""


def half_plus(number, folder):
    """Writes y = x / 2 + number, for x of any shape."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")])
    def f(x):
        return {"y": x / 2 + number}

    module.f = f
    tf.saved_model.save(module, str(folder), {"serving_default": module.f})


def golden(folder):
    """Writes signatures of the types that JSON has a form for."""
    module, signatures = tf.Module(), {}

    def add(name, dtype, output, shape=None):
        def same(x):
            return {output: tf.identity(x)}

        spec = tf.TensorSpec(shape, dtype, "x")
        signatures[name] = tf.function(same, input_signature=[spec])

    add("serving_default", tf.int32, "y")
    add("floats", tf.float32, "y")
    add("booleans", tf.bool, "y")
    add("strings", tf.string, "y")
    add("bytes", tf.string, "y_bytes")
    add("halves", tf.float16, "y")
    add("pixels", tf.uint8, "y", (None, 2))

    def two(a, b):
        return {"sum": a + b, "difference": a - b}

    number = tf.TensorSpec([None], tf.int32)
    signatures["two"] = tf.function(two, input_signature=[number, number])

    def pictures(image_bytes):
        def size(picture):
            return tf.shape(tf.io.decode_image(picture, expand_animations=False))[:2]

        return {"sizes": tf.map_fn(size, image_bytes, fn_output_signature=tf.int32)}

    texts = tf.TensorSpec([None], tf.string)
    signatures["pictures"] = tf.function(pictures, input_signature=[texts])

    def spin(turns):
        """Takes a quarter of a millisecond to one, by the processor, for each turn."""
        m = tf.eye(128)
        for _ in tf.range(turns[0]):
            for _ in range(8):
                m = tf.linalg.matmul(m, m)
        return {"done": turns + tf.cast(m[0, 0], tf.int32) - 1}

    signatures["spin"] = tf.function(spin, input_signature=[number])
    module.functions = signatures
    tf.saved_model.save(module, str(folder), signatures)


def write(folder):
    """Writes the models and their configuration; returns that file."""
    folder = pathlib.Path(folder).absolute()
    half_plus(2.0, folder / "half_plus_two" / "00000123")
    golden(folder / "golden" / "1")
    config = folder / "models.config"
    config.write_text(CONFIG.format(folder=folder))
    return config


if __name__ == "__main__":
    print(write(sys.argv[1]))
