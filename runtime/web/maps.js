// Evidence, completeness and guided redistribution: "Evidence" and "Fine evidence" in artifact.md.
import { CamliteError } from "./errors.js";

// Class k of an output (places, classes).
export function layer(numbers, classes, k) {
  const found = new Float32Array(numbers.length / classes);
  for (let p = 0, at = k; p < found.length; p++, at += classes) found[p] = numbers[at];
  return found;
}

// Features times class weights: (h * w) numbers of class k, in logits.
export function evidence(features, { shape, data }, k) {
  const K = shape.at(-1), C = shape.at(-2), perPlace = shape.length === 4 ? C * K : 0;
  const found = new Float32Array(features.length / C);
  const ofClass = perPlace ? null : layer(data, K, k);
  for (let p = 0, at = 0; p < found.length; p++) {
    let sum = 0;
    if (ofClass) for (let c = 0; c < C; c++) sum += features[at++] * ofClass[c];
    else for (let c = 0, from = p * perPlace + k; c < C; c++, from += K) sum += features[at++] * data[from];
    found[p] = sum;
  }
  return found;
}

export function logits(features, { shape, data }, bias) {
  const K = shape.at(-1), C = shape.at(-2), found = Float64Array.from(bias);
  let inputs = features;
  if (shape.length === 2) {
    inputs = new Float64Array(C);
    for (let at = 0; at < features.length; at++) inputs[at % C] += features[at];
  }
  for (let at = 0, i = 0; i < inputs.length; i++) for (let k = 0; k < K; k++) found[k] += inputs[i] * data[at++];
  return found;
}

// The largest of some numbers; of none, `least`.
export function largest(numbers, most = 0) {
  for (const one of numbers) most = Math.max(most, one);
  return most;
}
export const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

export function completeness(logits, scores, activation) {
  const most = largest(logits, -Infinity), total = sum(logits.map((one) => Math.exp(one - most)));
  const activate = {
    linear: (one) => one,
    sigmoid: (one) => 1 / (1 + Math.exp(-one)),
    softmax: (one) => Math.exp(one - most) / total,
  }[activation];
  return largest(scores.map((score, k) => Math.abs(activate(logits[k]) - score))); // NaN stays NaN
}

// How near each place of the guide is to each cell of evidence, on one axis: (size, fine) numbers.
function tents(size, start, stop, fine, fineStart, fineStop, radius) {
  const side = (stop - start) / size, found = new Float32Array(size * fine);
  for (let i = 0, at = 0; i < size; i++) {
    for (let p = 0; p < fine; p++, at++) {
      const place = fineStart + (p + 0.5) * ((fineStop - fineStart) / fine);
      const tent = 1 - Math.abs(place - (start + (i + 0.5) * side)) / (radius * side);
      found[at] = tent < 1e-6 ? 0 : tent;
    }
    if (!found.subarray(at - fine, at).some(Boolean)) {
      throw new CamliteError(`cells ${i} of the evidence have no guide within radius ${radius}; export it again`);
    }
  }
  return found;
}

// -> (evidence, guide) => fine evidence; the tents are made once.
export function redistribution(head, guide) {
  const { height: h, width: w, window: own } = head, { height: H, width: W, window: there, floor, radius } = guide;
  const down = tents(h, own.top, own.bottom, H, there.top, there.bottom, radius);
  const across = tents(w, own.left, own.right, W, there.left, there.right, radius);
  return (map, guided) => {
    if (!guided.every(Number.isFinite)) return new Float32Array(H * W).fill(NaN);
    const shares = Float64Array.from(guided, (one) => Math.max(one, 0)), most = largest(shares);
    const least = most > 0 ? (floor * sum(shares)) / most / shares.length + 1e-12 : 1;
    for (let p = 0; p < shares.length; p++) shares[p] = (most > 0 ? shares[p] / most : 0) + least;
    const given = times(times(down, shares, h, H, W), across, h, W, w, true);
    const each = given.map((one, i) => map[i] / one);
    const spread = times(times(down, each, H, h, w, false, true), across, H, w, W);
    return Float32Array.from(spread, (one, p) => one * shares[p]);
  };
}

// a (rows, inner) times b (inner, columns), row by row; `turned` b is (columns, inner), `turnedA` a is (inner, rows).
function times(a, b, rows, inner, columns, turned = false, turnedA = false) {
  const found = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < inner; j++) {
      const one = a[turnedA ? j * rows + i : i * inner + j];
      if (one) for (let k = 0; k < columns; k++) found[i * columns + k] += one * b[turned ? k * inner + j : j * columns + k];
    }
  }
  return found;
}
