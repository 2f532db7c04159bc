// A loaded artifact, and what it says of a picture.
import { product } from "./arrays.js";
import { read } from "./artifact.js";
import { CamliteError, damaged, named } from "./errors.js";
import { openModel } from "./interpreters.js";
import { completeness, evidence, largest, layer, logits, redistribution, sum } from "./maps.js";
import { overlay } from "./overlay.js";
import { channelsFirst, channelsLast, dequantize, prepare, quantize, windowOf } from "./pixels.js";
import { hotRegion } from "./region.js";
import { heatOf, resize } from "./resize.js";

// `interpreter` is a library (see interpreters.js), or an opened model of one's own.
export async function load(content, interpreter, options = {}) {
  const artifact = await read(content, options), opened = interpreter?.run && interpreter;
  return named(options.name ?? "artifact", async () => new Explainer(artifact, opened || (await openModel(artifact, interpreter))));
}

export class Explainer {
  #busy = Promise.resolve();

  constructor(artifact, interpreter) {
    const { card, maps } = artifact;
    Object.assign(this, { artifact, interpreter, labels: card.labels, guide: maps?.guide ?? null });
    this.anyClass = card.head.evidence !== "gradient_top";
    checkTensors(card, this.guide, interpreter);
    this.redistribute = this.guide && redistribution(card.head, this.guide);
  }

  // Classes are indices or labels; by default the one with the largest score, or the largest but `against`.
  explain(picture, { classes = null, against = null, finite = true } = {}) {
    const answer = this.#busy.then(async () => {
      const outputs = await this.run(prepare(picture, this.artifact.card.preprocessing));
      return new Explanation(this, picture, outputs, classes, against, finite);
    });
    this.#busy = answer.catch(() => {}); // an interpreter runs one picture at a time
    return answer;
  }

  // Real numbers in, stored outputs out, features (h, w, C).
  async run(real) {
    const { card: { image_layout, features_layout, preprocessing, head } } = this.artifact;
    const arranged = image_layout === "chw" ? channelsFirst(real, preprocessing.channels) : real;
    const outputs = await this.interpreter.run(quantize(arranged, this.interpreter.input));
    if (features_layout === "chw") outputs.features = channelsLast(outputs.features, head.channels);
    return outputs;
  }

  indexOf(wanted) {
    const index = typeof wanted === "string" ? this.labels.indexOf(wanted) : wanted;
    if (this.labels[index] === undefined) {
      throw new CamliteError(`class ${wanted} is unknown; expected a label, or 0 to ${this.labels.length - 1}`);
    }
    return index;
  }

  close() {
    this.interpreter.close?.();
  }
}

function checkTensors({ preprocessing, head, labels, precision, image_layout, features_layout }, guide, { input, outputs }) {
  const axes = ({ height, width, channels }, layout) => (layout === "chw" ? [channels, height, width] : [height, width, channels]);
  const maps = (of, all) => [of.height, of.width, all ? labels.length : 1];
  const expected = { features: axes(head, features_layout), scores: [labels.length] };
  if (head.evidence !== "device") expected.evidence = maps(head, head.evidence !== "gradient_top");
  if (guide) expected.guide = maps(guide, guide.classes === "all");
  if (outputs.bias && head.evidence.startsWith("gradient")) expected.bias = [labels.length];
  const wrong = (name, tensor, shape) => {
    const kinds = ["float32", ...(name === "input" || (precision === "int8" && name !== "output bias") ? ["int8", "uint8"] : [])];
    if (String(tensor?.shape) === String(shape) && kinds.includes(tensor.dtype)) return;
    throw damaged(`the model's ${name} is ${tensor?.dtype} [${tensor?.shape}], the card says [${shape}]`);
  };
  wrong("input", input, axes(preprocessing, image_layout));
  for (const name of Object.keys(expected)) wrong(`output ${name}`, outputs[name], expected[name]);
  const odd = Object.keys(outputs).find((name) => !(name in expected));
  if (odd) throw damaged(`the card knows no output ${odd}`);
}

const argmax = (numbers, but) => numbers.reduce((best, one, k) => (k !== but && (best < 0 || one > numbers[best]) ? k : best), -1);

export class Explanation {
  #outputs;
  #bias;

  constructor(explainer, picture, outputs, classes, against, finite) {
    const { labels, artifact: { arrays, card: { head } }, guide } = explainer, known = {};
    const real = (name) => (known[name] ??= dequantize(outputs[name], explainer.interpreter.outputs[name]));
    this.#outputs = real;
    this.#bias = outputs.bias ?? arrays.bias?.data;
    this.top = argmax(outputs.scores);
    this.scores = real("scores");
    this.against = against === null ? null : explainer.indexOf(against);
    const chosen = classes?.map((one) => explainer.indexOf(one)) ?? [argmax(outputs.scores, this.against ?? -1)];
    Object.assign(this, { explainer, picture, classes: chosen, label: labels[this.top], score: this.scores[this.top] });
    if (!explainer.anyClass && (against !== null || chosen.some((k) => k !== this.top))) {
      throw new CamliteError("it has evidence of the top class only");
    }
    if (chosen[0] < 0 || chosen.includes(this.against)) throw new CamliteError("a class is explained against itself");
    this.evidence = this.#each((k) => this.#evidenceOf(k));
    const hasFine = guide && (guide.classes === "all" || (against === null && chosen.every((k) => k === this.top)));
    this.fine = hasFine ? this.#each((k) => this.#fineOf(k)) : null;
    // The finest map there is: what heatmaps, pictures and JSON are made of.
    this.kind = hasFine ? "fine" : "plain";
    this.maps = this.fine ?? this.evidence;
    const { height, width, window } = hasFine ? guide : head;
    this.grid = { height, width, window };
    if (finite && ![this.scores, ...this.evidence, ...(this.fine ?? [])].every((some) => some.every(Number.isFinite))) {
      throw new CamliteError("its answer holds numbers that are not finite; export it again");
    }
  }

  // Of each class; against another, the difference.
  #each(of) {
    const other = this.against === null ? null : of(this.against);
    return this.classes.map((k) => (other ? of(k).map((one, at) => one - other[at]) : of(k)));
  }

  #evidenceOf(k) {
    const { arrays, card } = this.explainer.artifact;
    if (arrays.weights) return evidence(this.features, arrays.weights, k);
    return layerOf(this.#outputs("evidence"), card.head, k);
  }

  #fineOf(k) {
    const { guide, redistribute } = this.explainer;
    return redistribute(this.#evidenceOf(k), layerOf(this.#outputs("guide"), guide, k));
  }

  get features() {
    return this.#outputs("features");
  }

  // How far evidence and bias are from adding up to the scores; null where they need not.
  get completeness() {
    const { artifact: { arrays: { weights }, card: { head } }, anyClass } = this.explainer, bias = this.#bias;
    if (!bias) return null;
    // Where there is evidence of the top class only, the bias of another is its logit.
    const whole = weights ? logits(this.features, weights, bias)
      : Float64Array.from(bias, (one, k) => one + (anyClass || k === this.top ? sum(this.#evidenceOf(k)) : 0));
    const found = completeness(whole, this.scores, head.activation);
    if (!this.fine) return found;
    const other = this.against === null ? 0 : whole[this.against] - bias[this.against];
    this.classes.forEach((k, index) => { whole[k] = sum(this.fine[index]) + bias[k] + other; });
    return Math.max(found, completeness(whole, this.scores, head.activation));
  }

  #resized(index, size, smooth) {
    return resize(this.maps[index], [this.grid.height, this.grid.width], size, this.grid.window, smooth);
  }

  // Of the classifier's input: (height, width) numbers of 0..1.
  heatmap(index = 0) {
    const { height, width } = this.explainer.artifact.card.preprocessing;
    return heatOf(this.#resized(index, [height, width], false));
  }

  // Of the whole picture, smooth, as it is drawn; `peak` is the evidence, in logits, that becomes 1.
  spread(index = 0, peak = undefined) {
    const { width, height } = this.picture, { top, left, rows, columns } = this.window;
    const heat = heatOf(this.#resized(index, [rows, columns], true), peak), found = new Float32Array(height * width);
    for (let y = 0; y < rows; y++) found.set(heat.subarray(y * columns, (y + 1) * columns), (top + y) * width + left);
    return found;
  }

  get window() {
    return windowOf(this.picture, this.explainer.artifact.card.preprocessing);
  }

  // RGBA of the size of the picture, for new ImageData(…, width, height).
  overlay({ index = 0, opacity = 0.8, peak = undefined } = {}) {
    return overlay(this.picture, this.spread(index, peak), opacity);
  }

  // explanation.schema.json
  toJSON() {
    const { labels, artifact } = this.explainer, { window: seen, grid } = this, { width, height } = this.picture;
    const edges = { left: 0, top: 0, right: 0, bottom: 0 }, window = { ...edges };
    for (const [first, last, length] of [["left", "right", seen.columns], ["top", "bottom", seen.rows]]) {
      for (const edge of [first, last]) edges[edge] = seen[first] + grid.window[edge] * length;
      window[first] = Math.max(seen[first], Math.floor(edges[first]));
      window[last] = Math.min(seen[first] + length, Math.ceil(edges[last]));
    }
    const explained = this.classes.map((k, index) => {
      const { height: rows, width: columns } = artifact.card.preprocessing, map = Array.from(this.maps[index]);
      const region = hotRegion(this.heatmap(index), rows, columns, seen), most = largest(map, -Infinity);
      return {
        label: labels[k], score: this.scores[k], ...region, peak: region.peak && { ...region.peak, evidence: most },
        evidence: Array.from({ length: grid.height }, (_, y) => map.slice(y * grid.width, (y + 1) * grid.width)),
      };
    });
    return {
      label: this.label, score: this.score, scores: Object.fromEntries(labels.map((label, k) => [label, this.scores[k]])),
      completeness: this.completeness, width, height, window, against: this.against === null ? null : labels[this.against],
      map: this.kind, grid: edges, explained,
    };
  }
}

// Class k of an output (h, w, K), or of one that has only the top class.
function layerOf(numbers, { height, width }, k) {
  const classes = numbers.length / product([height, width]);
  return layer(numbers, classes, classes === 1 ? 0 : k);
}
