/**
 * Where a model runs: in this page (ONNX Runtime Web) or on a server.
 *
 * A backend is `decode(run, rows)`: codes -> Float32Array of n * H * W * C values in
 * [0, 1], and `encode(run, pixels)`: one image, Uint8Array -> codes.
 */

import { unpack } from "explorer/bytes";

/** Runs the models of the file in the page, one call after the other. */
export async function pageBackend() {
  const [source, wasm] = await Promise.all([unpack("runtime"), unpack("wasm")]);
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const ort = await import(url);
  URL.revokeObjectURL(url);
  ort.env.wasm.wasmBinary = wasm;
  // Several threads need headers of a server, which a file has not.
  ort.env.wasm.numThreads = 1;

  const sessions = new Map();
  let last = Promise.resolve();

  /** A session takes one call at a time. */
  function inTurn(call) {
    last = last.then(call, call);
    return last;
  }

  async function session(id) {
    if (!sessions.has(id)) {
      sessions.set(id, await ort.InferenceSession.create(await unpack(id)));
    }
    return sessions.get(id);
  }

  async function call(id, tensor) {
    const model = await session(id);
    const outputs = await model.run({ [model.inputNames[0]]: tensor });
    return new Map(Object.entries(outputs).map(([k, v]) => [k.split(":")[0], v]));
  }

  return {
    decode: (run, rows) =>
      inTurn(async () => {
        const flat = Float32Array.from(rows.flatMap((row) => Array.from(row)));
        const shape = [rows.length, run.latents.length];
        const tensor = new ort.Tensor("float32", flat, shape);
        return (await call(`decode-${run.key}`, tensor)).get("images").data;
      }),
    encode: (run, pixels) =>
      inTurn(async () => {
        const tensor = new ort.Tensor("uint8", pixels, [1, ...run.image_shape]);
        const outputs = await call(`encode-${run.key}`, tensor);
        return Array.from((outputs.get("codes") ?? outputs.get("mean")).data);
      }),
  };
}

function nested(values, shape) {
  if (shape.length === 0) return values[0];
  const size = values.length / shape[0];
  return Array.from({ length: shape[0] }, (_, i) =>
    nested(values.subarray(i * size, (i + 1) * size), shape.slice(1)),
  );
}

/** Asks a server that speaks TensorFlow Serving's REST. */
export function serverBackend(server) {
  async function predict(run, signature, inputs) {
    const url = `${server}/v1/models/${encodeURIComponent(run.served_as)}:predict`;
    const body = JSON.stringify({ signature_name: signature, inputs });
    let answer;
    try {
      answer = await fetch(url, { method: "POST", body });
    } catch {
      throw new Error(
        `No answer from ${url}. Is the server running, and does it allow other ` +
          "pages to ask (--rest_api_enable_cors_support)?",
      );
    }
    const content = await answer.json();
    if (!answer.ok) throw new Error(`${url}: ${content.error}`);
    return content.outputs;
  }

  return {
    decode: async (run, rows) => {
      const codes = rows.map((row) => Array.from(row));
      const images = await predict(run, "decode", { codes });
      return Float32Array.from((images.images ?? images).flat(3));
    },
    encode: async (run, pixels) => {
      const images = nested(pixels, [1, ...run.image_shape]);
      const outputs = await predict(run, "encode", { images });
      return (outputs.codes ?? outputs.mean ?? outputs)[0];
    },
  };
}
