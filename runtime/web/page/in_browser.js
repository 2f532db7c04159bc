// Answers of an artifact that runs here, in the browser: no picture leaves the device.
import { load } from "./camlite/camlite.js";
import { check } from "./camlite/self_check.js";

const MOST_SAMPLES = 6;
const MOST_PIXELS = 16_777_216; // as large as a canvas may be on a phone

// How each interpreter's library is loaded; its files lie in runtime/.
const LIBRARIES = {
  async onnx() {
    const ort = await import("./runtime/ort.wasm.min.mjs");
    ort.env.wasm.numThreads = 1; // more need headers that a plain web server does not send
    ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
    return ort;
  },
  async tflite() {
    const litert = await import("./runtime/litert.js");
    await litert.loadLiteRt(new URL("./runtime/litert_wasm_compat_internal.js", import.meta.url).href);
    return litert;
  },
};
const libraries = {};

export function connect({ artifacts, types }, page) {
  let opened = null, chosen = 0; // a promise of what is chosen, while it is loaded or has been
  const choose = (index) => {
    const last = opened;
    chosen = index;
    const mine = opened = open(artifacts[index], index, page).finally(() => last?.then(({ explainer }) => explainer.close(), () => {}));
    mine.catch((error) => {
      error.unable = !error.fatal;
      if (opened === mine && !error.unable) opened = null; // it lacks the token
      page.say(types && error.unable ? `This browser cannot run the classifier, so the server does: ${error.message}` : error.message, true);
    });
    return opened;
  };
  const select = page.element("artifacts");
  artifacts.forEach(({ title }, index) => select.add(new Option(title, index)));
  page.element("choice").hidden = artifacts.length < 2;
  page.element("artifact").hidden = artifacts.length > 1;
  select.addEventListener("change", () => choose(Number(select.value)).then(page.again, () => {}));
  choose(Number(select.value) || 0).catch(() => {});
  if (!types) keepOffline(page);
  return {
    explain: async (picture, labels) => explain(await (opened ?? choose(chosen)), picture, labels),
    again: () => (opened ?? choose(chosen)).catch(() => {}),
  };
}

// Without a service worker the page works online only.
function keepOffline(page) {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  const isKept = serviceWorker.controller !== null; // else this is the first visit, and nothing has changed
  serviceWorker.addEventListener("controllerchange", () => { page.element("changed").hidden = !isKept; });
  serviceWorker.register("service_worker.js").catch(() => {});
}

async function open({ file, name, title, container }, index, page) {
  page.title(name, title);
  page.say("Loading the classifier …");
  page.element("proof").hidden = page.element("samples").hidden = true;
  const [library, response] = await Promise.all([(libraries[container] ??= LIBRARIES[container]()), page.fetch(file)]);
  if (!response.ok) throw new Error(`${file}: the server answers ${response.status}.`);
  const explainer = await load(await response.arrayBuffer(), library, { name: title }), { interpreter } = explainer;
  const timed = { explainer, index, run: 0 }, run = interpreter.run;
  interpreter.run = async (numbers) => {
    const start = performance.now(), outputs = await run(numbers);
    timed.run = performance.now() - start;
    return outputs;
  };
  const { passed, failures, samples, seconds } = await check(explainer), proof = page.element("proof");
  proof.classList.toggle("bad", !passed);
  proof.textContent = passed
    ? `Self-check passed: ${samples.length} golden samples answered as the original answers them, in ${milliseconds(1000 * seconds)}.`
    : `Self-check failed: ${failures.join("; ")}.`;
  proof.hidden = false;
  page.element("private").hidden = false;
  offerSamples(explainer.artifact.arrays.golden_images, page);
  page.say("");
  return timed;
}

// The artifact's own golden samples, to try it with.
function offerSamples({ shape: [count, height, width, channels], data }, page) {
  const size = height * width * channels, samples = page.element("samples");
  samples.replaceChildren();
  for (let index = 0; index < Math.min(count, MOST_SAMPLES); index++) {
    const image = new ImageData(width, height), from = index * size;
    for (let p = 0; p < height * width; p++) {
      for (let c = 0; c < 3; c++) image.data[p * 4 + c] = data[from + p * channels + (channels === 1 ? 0 : c)];
      image.data[p * 4 + 3] = 255;
    }
    const button = document.createElement("button"), canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    canvas.getContext("2d").putImageData(image, 0, 0);
    button.type = "button";
    button.setAttribute("aria-label", `Golden sample ${index + 1}`);
    button.addEventListener("click", () => page.open(image));
    button.append(canvas);
    samples.append(button);
  }
  samples.hidden = !count;
}

async function explain(timed, { bitmap }, labels) {
  const picture = pixelsOf(bitmap), start = performance.now();
  const answer = (await timed.explainer.explain(picture, { classes: labels.length ? labels : null })).toJSON();
  const more = performance.now() - start - timed.run;
  return { answer, artifact: timed.index, time: `In this browser: ${milliseconds(timed.run)} the model, ${milliseconds(more)} the explanation.` };
}

const milliseconds = (time) => `${time.toFixed(time < 10 ? 1 : 0)} ms`;

function pixelsOf(bitmap) {
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
  const width = Math.max(1, Math.floor(bitmap.width * scale)), height = Math.max(1, Math.floor(bitmap.height * scale));
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}
