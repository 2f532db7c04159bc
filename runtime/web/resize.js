// Resizing, pixel centres at half coordinates, edges held: bilinear as tf.image.resize for numbers, smooth for pictures.

import { largest } from "./maps.js";

// Where each of `target` numbers of an axis lies among `size`, whose grid spans `start` to `stop` of the result.
const place = (i, size, target, start, stop) => (i + 0.5 - start * target) * (size / (target * (stop - start))) - 0.5;
const clip = (number, least, most) => Math.min(Math.max(number, least), most);

// Bilinear: each number lies between two.
export function taps(size, target, start = 0, stop = 1) {
  const before = new Int32Array(target), after = before.slice(), share = new Float32Array(target);
  for (let i = 0; i < target; i++) {
    const centre = clip(place(i, size, target, start, stop), 0, size - 1);
    before[i] = Math.floor(centre);
    after[i] = Math.min(before[i] + 1, size - 1);
    share[i] = centre - before[i];
  }
  return { before, after, share };
}

// Smooth: each is a mean of three, by a quadratic B-spline.
function smoothTaps(size, target, start, stop) {
  const found = [-1, 0, 1].map((step) => ({ step, places: new Int32Array(target), weights: new Float64Array(target) }));
  for (let i = 0; i < target; i++) {
    const centre = clip(place(i, size, target, start, stop), -1, size), near = Math.floor(centre + 0.5), off = centre - near;
    for (const { step, places, weights } of found) {
      places[i] = clip(near + step, 0, size - 1);
      weights[i] = step ? (0.5 + step * off) ** 2 / 2 : 0.75 - off * off;
    }
  }
  return found;
}

// What each number is a weighted mean of: a few {places, weights}. All is 0 outside of `start` to `stop`.
function means(size, target, start, stop, smooth) {
  const { before, after, share } = taps(size, target, start, stop);
  const found = smooth ? smoothTaps(size, target, start, stop)
    : [{ places: before, weights: share.map((one) => 1 - one) }, { places: after, weights: share }];
  for (let i = 0; i < target; i++) {
    const centre = (i + 0.5) / target;
    if (centre < start || centre > stop) for (const { weights } of found) weights[i] = 0;
  }
  return found;
}

// A map (h, w) at the size (height, width), of which it covers a window.
export function resize(map, [h, w], [height, width], window, smooth = false) {
  const down = means(h, height, window.top, window.bottom, smooth), line = new Float64Array(w);
  const across = means(w, width, window.left, window.right, smooth), found = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    for (const { places, weights } of down) for (let x = 0; x < w; x++) line[x] += map[places[y] * w + x] * weights[y];
    for (const { places, weights } of across) {
      for (let x = 0, at = y * width; x < width; x++, at++) found[at] += line[places[x]] * weights[x];
    }
  }
  return found;
}

// Clipped at 0, and divided by the largest number, or by `peak`.
export function heatOf(resized, peak = largest(resized)) {
  return resized.map((one) => (peak > 0 && one > 0 ? one / peak : 0));
}
