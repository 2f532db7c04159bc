// Bilinear resizing, pixel centres at half coordinates, edges held, as tf.image.resize.

// Each of `target` numbers of an axis lies between two of `size`; the grid spans `start` to `stop` of the result, which
// is 0 elsewhere (`seen`).
export function taps(size, target, start = 0, stop = 1) {
  const before = new Int32Array(target), after = before.slice(), share = new Float32Array(target), seen = before.slice();
  for (let i = 0; i < target; i++) {
    const exact = (i + 0.5 - start * target) * (size / (target * (stop - start))) - 0.5;
    const centre = Math.min(Math.max(exact, 0), size - 1), place = (i + 0.5) / target;
    before[i] = Math.floor(centre);
    after[i] = Math.min(before[i] + 1, size - 1);
    share[i] = centre - before[i];
    seen[i] = place >= start && place <= stop;
  }
  return { before, after, share, seen };
}

// A map (h, w) at the size (height, width), of which it covers a window.
export function resize(map, [h, w], [height, width], window) {
  const down = taps(h, height, window.top, window.bottom), across = taps(w, width, window.left, window.right);
  const line = new Float64Array(w), found = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    if (!down.seen[y]) continue;
    const above = down.before[y] * w, below = down.after[y] * w, v = down.share[y];
    for (let x = 0; x < w; x++) line[x] = map[above + x] * (1 - v) + map[below + x] * v;
    for (let x = 0, at = y * width; x < width; x++, at++) {
      const t = across.share[x];
      if (across.seen[x]) found[at] = line[across.before[x]] * (1 - t) + line[across.after[x]] * t;
    }
  }
  return found;
}

// Clipped at 0, and divided by the largest number, or by `peak`.
export function heatOf(resized, peak = resized.reduce((most, one) => Math.max(most, one), 0)) {
  return resized.map((one) => (peak > 0 && one > 0 ? one / peak : 0));
}
