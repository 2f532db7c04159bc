// Resizing, pixel centres at half coordinates, edges held: bilinear as tf.image.resize for numbers, smooth for pictures.

import { largest } from "./maps.js";

const clip = (number, least, most) => Math.min(Math.max(number, least), most);

// What each of `target` numbers is a weighted mean of, on an axis of `size`, whose grid spans `start` to `stop` of the
// result: {places, weights}, bilinear of the one before and the one after; smooth of three, by a quadratic B-spline.
export function means(size, target, start = 0, stop = 1, smooth = false) {
  const beyond = smooth ? 1 : 0, steps = smooth ? [-1, 0, 1] : [0, 1], Kind = smooth ? Float64Array : Float32Array;
  const found = steps.map((step) => ({ step, places: new Int32Array(target), weights: new Kind(target) }));
  for (let i = 0; i < target; i++) {
    const place = (i + 0.5 - start * target) * (size / (target * (stop - start))) - 0.5, seen = (i + 0.5) / target;
    const centre = clip(place, -beyond, size - 1 + beyond), near = Math.floor(centre + beyond / 2), off = centre - near;
    for (const { step, places, weights } of found) {
      const linear = step ? off : 1 - off, quadratic = step ? (0.5 + step * off) ** 2 / 2 : 0.75 - off * off;
      places[i] = clip(near + step, 0, size - 1);
      weights[i] = seen < start || seen > stop ? 0 : smooth ? quadratic : linear;
    }
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
  const found = new Float32Array(resized.length);
  if (peak > 0) for (let at = 0; at < found.length; at++) if (resized[at] > 0) found[at] = resized[at] / peak;
  return found;
}
