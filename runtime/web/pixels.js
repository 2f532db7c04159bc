// From a picture to the classifier's input: "From pixels to the input" in artifact.md.
import { CamliteError } from "./errors.js";
import { means } from "./resize.js";

export const LUMA = [0.299, 0.587, 0.114];

// A picture is {width, height, data}: bytes of 1, 3 or 4 channels, such as ImageData. Alpha is dropped.
export function channelsOf({ width, height, data }) {
  const channels = data.length / (width * height);
  if (![1, 3, 4].includes(channels) || data.BYTES_PER_ELEMENT !== 1) {
    throw new CamliteError(`picture: ${data.length} numbers for ${width} x ${height}, expected bytes of 1, 3 or 4 channels`);
  }
  return channels;
}

export function roundEven(x) {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 ? up - 1 : up;
}

// The part of a picture that the classifier sees.
export function windowOf({ width, height }, target) {
  if (target.fit === "stretch") return { top: 0, left: 0, rows: height, columns: width };
  const rows = Math.min(height, Math.max(1, roundEven((width * target.height) / target.width)));
  const columns = Math.min(width, Math.max(1, roundEven((height * target.width) / target.height)));
  return { top: Math.floor((height - rows) / 2), left: Math.floor((width - columns) / 2), rows, columns };
}

// Real numbers, (height, width, channels).
export function prepare(picture, target) {
  const { height, width, channels, scale, offset, order } = target, { data } = picture, of = channelsOf(picture);
  const { top, left, rows, columns } = windowOf(picture, target);
  const [before, after] = means(rows, height), [near, far] = means(columns, width);
  const found = new Float32Array(height * width * channels), place = [0, 0, 0], colours = of === 1 ? 1 : 3, last = channels - 1;
  const line = (y) => (top + y) * picture.width * of;
  for (let y = 0, at = 0; y < height; y++) {
    const above = line(before.places[y]), below = line(after.places[y]), u = before.weights[y], v = after.weights[y];
    for (let x = 0; x < width; x++, at += channels) {
      const a = (left + near.places[x]) * of, b = (left + far.places[x]) * of;
      for (let c = 0; c < colours; c++) {
        place[c] = (data[above + a + c] * u + data[below + a + c] * v) * near.weights[x] +
          (data[above + b + c] * u + data[below + b + c] * v) * far.weights[x];
      }
      if (last === 0 && colours === 3) place[0] = place[0] * LUMA[0] + place[1] * LUMA[1] + place[2] * LUMA[2];
      for (let c = 0; c <= last; c++) {
        found[at + c] = place[colours === 1 ? 0 : order === "bgr" ? last - c : c] * scale[c] + offset[c];
      }
    }
  }
  return found;
}

// (height, width, channels) <-> (channels, height, width)
export function channelsFirst(numbers, channels) {
  const places = numbers.length / channels, found = new numbers.constructor(numbers.length);
  for (let at = 0, p = 0; p < places; p++) for (let c = 0; c < channels; c++) found[c * places + p] = numbers[at++];
  return found;
}
export const channelsLast = (numbers, channels) => channelsFirst(numbers, numbers.length / channels);

// Tensors are {dtype, scale, zeroPoint}: a scale of 0 or none means that numbers are real.
export function quantize(real, { dtype, scale = 0, zeroPoint = 0 }) {
  if (dtype === "float32") return real;
  const round = Math.fround, shift = dtype === "int8" ? 128 : 0;
  // These round half to even, and clip at 0 and 255.
  const steps = Uint8ClampedArray.from(real, (one) => (scale ? round(round(one / scale) + zeroPoint) : one) + shift);
  return shift ? Int8Array.from(steps, (one) => one - shift) : new Uint8Array(steps.buffer);
}

// `new Float32Array(…)` copies 50 times faster than `Float32Array.from(…, each)`, and features are the largest array.
export function dequantize(stored, { scale, zeroPoint = 0 }) {
  const found = new Float32Array(stored), unit = Math.fround(scale);
  if (scale) for (let at = 0; at < found.length; at++) found[at] = (found[at] - zeroPoint) * unit;
  return found;
}
