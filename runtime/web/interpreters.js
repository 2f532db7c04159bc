// Two interpreters, and what the module asks of any: {input, outputs, run(numbers) -> {name: numbers}}, where a tensor
// is {shape (without the batch axis), dtype, scale, zeroPoint}.
import { CamliteError } from "./errors.js";

// `library` is onnxruntime-web for ONNX, @litertjs/core (after loadLiteRt) for TFLite.
export async function openModel({ container, model }, library) {
  const open = container === "onnx" ? library?.InferenceSession && onOnnxruntime : library?.loadAndCompile && onLiteRt;
  if (!open) {
    const wanted = container === "onnx" ? "onnxruntime-web" : "@litertjs/core";
    throw new CamliteError(`artifacts of ${container} run on ${wanted}; give it as the second argument`);
  }
  try {
    return await open(model, library);
  } catch (error) {
    const reason = String(error?.message ?? error).replace(/\s+/g, " ").slice(0, 300);
    const remedy = /INT8/.test(reason) ? "; use an .onnx artifact" : "";
    throw new CamliteError(`the interpreter cannot load it: ${reason}${remedy}`);
  }
}

const tensor = ({ shape, type, dtype }) => ({ shape: Array.from(shape).slice(1), dtype: type ?? dtype });

const opened = ([image, ...more], outputs, run, close) => {
  const input = tensor(image);
  return {
    input: more.length ? null : input,
    outputs: Object.fromEntries(outputs.map((one) => [one.name, tensor(one)])),
    async run(numbers) {
      const results = Object.entries(await run(image.name, numbers, [1, ...input.shape]));
      return Object.fromEntries(results.map(([name, result]) => [name, result.toTypedArray ? taken(result) : result.data]));
    },
    close,
  };
};

async function onOnnxruntime(model, { InferenceSession, Tensor }) {
  const session = await InferenceSession.create(model, { executionProviders: ["wasm"] });
  const run = (name, numbers, shape) => session.run({ [name]: new Tensor(numbers, shape) });
  return opened(session.inputMetadata, session.outputMetadata, run, () => session.release());
}

async function onLiteRt(model, { loadAndCompile, Tensor }) {
  const compiled = await loadAndCompile(model, { accelerator: "wasm" }), ends = [compiled.getInputDetails(), compiled.getOutputDetails()];
  if (ends.flat().some(({ dtype }) => dtype !== "float32")) throw Error("it tells no scales of UINT8");
  const run = async (name, numbers, shape) => {
    const given = new Tensor(numbers, shape), results = await compiled.run({ [name]: given });
    given.delete();
    return results;
  };
  return opened(...ends, run, () => compiled.delete());
}

// The numbers of a tensor of LiteRT.js, whose memory is freed.
function taken(result) {
  const data = result.toTypedArray().slice();
  result.delete();
  return data;
}
