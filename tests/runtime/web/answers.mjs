// Answers the golden samples of artifacts on onnxruntime-web in Node. Prints of each artifact, as JSON, whether the
// self-check passes; and of each sample the scores, and evidence and fine evidence of every class that has them.
import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web/wasm";
import { load } from "../../../runtime/web/camlite.js";
import { check } from "../../../runtime/web/self_check.js";

ort.env.wasm.numThreads = 1;
const flat = (maps) => maps && maps.flatMap((map) => Array.from(map)), told = [];
for (const path of process.argv.slice(2)) {
  const explainer = await load(await readFile(path), ort), { shape, data } = explainer.artifact.arrays.golden_images;
  const [count, height, width] = shape, size = data.length / count, answers = [];
  for (let index = 0; index < count; index++) {
    const picture = { width, height, data: data.subarray(index * size, (index + 1) * size) };
    const classes = explainer.anyClass && explainer.guide?.classes !== "top" ? explainer.labels.map((_, k) => k) : null;
    const { scores, evidence, fine } = await explainer.explain(picture, { classes });
    answers.push({ scores: Array.from(scores), evidence: flat(evidence), fine: flat(fine) });
  }
  const { passed, failures } = await check(explainer);
  told.push({ passed, failures, answers });
  await explainer.close();
}
console.log(JSON.stringify(told));
