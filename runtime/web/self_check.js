// The golden samples, on this browser's kernels: "The self-check" in artifact.md.
import { sum } from "./maps.js";

// precision -> allowance, most, tolerance without golden_errors; each of score, evidence, completeness.
const FLOAT = [0.15, 0.4, 0.02], EIGHT = [0.35, 0.5, 0.35];
const TOLERANCES = {
  float32: [[1e-5, 1e-5, 1e-5], FLOAT, [1e-4, 1e-4, 1e-4]],
  float16: [[5e-3, 5e-3, 2e-3], FLOAT, [0.015, 0.005, 0.002]],
  dynamic: [[0.01, 0.005, 0.005], EIGHT, [0.15, 0.1, 0.1]],
  int8: [[0.1, 0.01, 0.1], EIGHT, [0.25, 0.45, 0.2]],
  int16x8: [[1e-3, 1e-3, 1e-3], EIGHT, [0.1, 0.45, 0.1]],
};
const FIGURES = ["score difference", "evidence error", "completeness"];

const largest = (numbers) => numbers.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
const magnitude = (numbers) => sum(numbers.map(Math.abs));
const difference = (one, other) => one.map((number, index) => number - other[index]);

// The index-th of an array's samples, or null.
function rows(array) {
  if (!array) return () => null;
  const length = array.data.length / array.shape[0];
  return (index) => array.data.subarray(index * length, (index + 1) * length);
}

// -> {passed, failures, samples: [{expected, label, figures, tolerance}], seconds}
export async function check(explainer) {
  const { card, arrays } = explainer.artifact, [allowance, most, unmeasured] = TOLERANCES[card.precision];
  const [count, height, width] = arrays.golden_images.shape, start = performance.now(), samples = [];
  const [images, scores, coarse, fine, errors] =
    ["images", "scores", "evidence", "fine", "errors"].map((name) => rows(arrays[`golden_${name}`]));
  const mean = (measure, of) => (of(0) && sum(Array.from({ length: count }, (_, i) => measure(of(i)))) / count) || 1;
  const unit = count ? mean(largest, coarse) : 1, fineUnit = count ? mean(magnitude, fine) : 1;
  for (let i = 0; i < count; i++) {
    const expected = scores(i).indexOf(scores(i).reduce((a, b) => Math.max(a, b)));
    const classes = explainer.anyClass ? [expected] : null;
    const found = await explainer.explain({ data: images(i), height, width }, { classes, finite: false });
    let error = null;
    if (found.classes[0] === expected) {
      error = largest(difference(found.evidence[0], coarse(i))) / unit;
      if (found.fine) error = Math.max(error, magnitude(difference(found.fine[0], fine(i))) / fineUnit);
    }
    const figures = [largest(difference(found.scores, scores(i))), error, found.completeness];
    const measured = errors(i);
    const tolerance = measured ? most.map((limit, at) => Math.min(2 * measured[at] + allowance[at], limit)) : unmeasured;
    samples.push({ expected: card.labels[expected], label: found.label, figures, tolerance });
  }
  const failures = [
    ...(card.unfit ? [`not fit for use, as measured at its export: ${card.unfit}`] : []),
    ...(count ? FIGURES.flatMap((_, at) => beyond(samples, at)) : ["carries no golden samples, so nothing is proven; export it again"]),
  ];
  return { passed: !failures.length, failures, samples, seconds: (performance.now() - start) / 1000 };
}

// A line for a figure that is beyond its tolerance somewhere: NaN is, null is not.
function beyond(samples, at) {
  const excess = ({ figures, tolerance }) => (figures[at] === null ? 0 : figures[at] / tolerance[at]);
  const failed = samples.filter((sample) => !(excess(sample) <= 1));
  if (!failed.length) return [];
  const worst = failed.reduce((a, b) => (excess(b) > excess(a) ? b : a)), { figures, tolerance, expected } = worst;
  return [`${FIGURES[at]} is ${figures[at].toPrecision(2)}, expected at most ${tolerance[at].toPrecision(2)}, ` +
    `on golden sample ${samples.indexOf(worst)} (${expected}); wrong on ${failed.length} of ${samples.length} sample${samples.length === 1 ? "" : "s"}`];
}
