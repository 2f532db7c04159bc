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
    const remedy = /INT8/.test(reason) ? "; LiteRT.js has no int8 tensors: use the int8.onnx artifact" : "";
    throw new CamliteError(`the interpreter cannot load it: ${reason}${remedy}`);
  }
}

const tensor = ({ shape, type, dtype }) => ({ shape: Array.from(shape).slice(1), dtype: type ?? dtype });
const byName = (all) => Object.fromEntries(all.map((one) => [one.name, tensor(one)]));

async function onOnnxruntime(model, { InferenceSession, Tensor }) {
  const session = await InferenceSession.create(model, { executionProviders: ["wasm"] });
  const [image, ...more] = session.inputMetadata;
  return {
    input: more.length ? null : tensor(image),
    outputs: byName(session.outputMetadata),
    async run(numbers) {
      const given = new Tensor("float32", numbers, [1, ...tensor(image).shape]);
      const results = await session.run({ [image.name]: given });
      return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
    },
    close: () => session.release(),
  };
}

async function onLiteRt(model, { loadAndCompile, Tensor }) {
  const compiled = await loadAndCompile(model, { accelerator: "wasm" }), [image, ...more] = compiled.getInputDetails();
  return {
    input: more.length ? null : tensor(image),
    outputs: byName(compiled.getOutputDetails()),
    async run(numbers) {
      const given = new Tensor(numbers, [1, ...tensor(image).shape]), results = await compiled.run({ [image.name]: given });
      given.delete();
      return Object.fromEntries(Object.entries(results).map(([name, result]) => {
        const data = result.toTypedArray().slice();
        result.delete();
        return [name, data];
      }));
    },
    close: () => compiled.delete(),
  };
}
