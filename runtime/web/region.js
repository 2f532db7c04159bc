// Where a heatmap is hot: peak, box and quadrants, as in "The explanation as JSON" in artifact.md.

// -> {peak: {x, y}, box, quadrants}, or null where all is 0; `window` is that of pixels.js.
export function hotRegion(heatmap, height, width, { top, left, rows, columns }) {
  const most = heatmap.reduce((best, one, at) => (one > heatmap[best] ? at : best), 0);
  if (!(heatmap[most] > 0)) return null;
  const hot = new Uint8Array(heatmap.length), open = [most], bound = [width, 0, height, 0];
  hot[most] = 1;
  while (open.length) {
    const at = open.pop(), x = at % width, y = (at - x) / width;
    bound.splice(0, 4, Math.min(bound[0], x), Math.max(bound[1], x), Math.min(bound[2], y), Math.max(bound[3], y));
    for (const [next, inside] of [[at - 1, x > 0], [at + 1, x < width - 1], [at - width, y > 0], [at + width, y < height - 1]]) {
      if (inside && !hot[next] && heatmap[next] >= 0.5 * heatmap[most]) open.push(next), (hot[next] = 1);
    }
  }
  const axis = (first, last, peak, start, length, size) => [
    start + Math.floor((first * length) / size), start + Math.ceil(((last + 1) * length) / size),
    start + Math.floor(((2 * peak + 1) * length) / (2 * size)),
  ];
  const column = most % width;
  const [boxLeft, boxRight, x] = axis(bound[0], bound[1], column, left, columns, width);
  const [boxTop, boxBottom, y] = axis(bound[2], bound[3], (most - column) / width, top, rows, height);
  const box = { left: boxLeft, top: boxTop, right: boxRight, bottom: boxBottom };
  return { peak: { x, y }, box, quadrants: quadrants(heatmap, height, width) };
}

function quadrants(heatmap, height, width) {
  const second = (at, size) => Math.min(Math.max(at + 1 - size / 2, 0), 1); // a middle one counts half to each side
  const found = [0, 0, 0, 0];
  let all = 0;
  heatmap.forEach((heat, at) => {
    const right = second(at % width, width), lower = second(Math.floor(at / width), height);
    [(1 - lower) * (1 - right), (1 - lower) * right, lower * (1 - right), lower * right].forEach((part, index) => {
      found[index] += part * heat;
    });
    all += heat;
  });
  const [upper_left, upper_right, lower_left, lower_right] = found.map((part) => part / all);
  return { upper_left, upper_right, lower_left, lower_right };
}
