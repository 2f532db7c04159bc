// Where a heatmap is hot: peak, box and quadrants, as in "The explanation as JSON" in artifact.md.

import { sum } from "./maps.js";

// -> {peak: {x, y}, box, quadrants}, each null where all is 0; `window` is that of pixels.js.
export function hotRegion(heatmap, height, width, { top, left, rows, columns }) {
  const most = heatmap.reduce((best, one, at) => (one > heatmap[best] ? at : best), 0);
  if (!(heatmap[most] > 0)) return { peak: null, box: null, quadrants: null };
  const hot = new Uint8Array(heatmap.length), open = [most];
  let [x0, x1, y0, y1] = [width, 0, height, 0];
  hot[most] = 1;
  while (open.length) {
    const at = open.pop(), x = at % width, y = (at - x) / width;
    [x0, x1, y0, y1] = [Math.min(x0, x), Math.max(x1, x), Math.min(y0, y), Math.max(y1, y)];
    const look = (next, inside) => {
      if (!inside || hot[next] || heatmap[next] < 0.5 * heatmap[most]) return;
      hot[next] = 1;
      open.push(next);
    };
    look(at - 1, x > 0);
    look(at + 1, x < width - 1);
    look(at - width, y > 0);
    look(at + width, y < height - 1);
  }
  const axis = (first, last, peak, start, length, size) => [
    start + Math.floor((first * length) / size), start + Math.ceil(((last + 1) * length) / size),
    start + Math.floor(((2 * peak + 1) * length) / (2 * size)),
  ];
  const column = most % width;
  const [boxLeft, boxRight, x] = axis(x0, x1, column, left, columns, width);
  const [boxTop, boxBottom, y] = axis(y0, y1, (most - column) / width, top, rows, height);
  const box = { left: boxLeft, top: boxTop, right: boxRight, bottom: boxBottom };
  return { peak: { x, y }, box, quadrants: quadrants(heatmap, height, width) };
}

function quadrants(heatmap, height, width) {
  const second = (at, size) => Math.min(Math.max(at + 1 - size / 2, 0), 1); // a middle one counts half to each side
  const found = { upper_left: 0, upper_right: 0, lower_left: 0, lower_right: 0 };
  heatmap.forEach((heat, at) => {
    const right = heat * second(at % width, width), lower = second(Math.floor(at / width), height);
    found.upper_left += (1 - lower) * (heat - right);
    found.upper_right += (1 - lower) * right;
    found.lower_left += lower * (heat - right);
    found.lower_right += lower * right;
  });
  const all = sum(Object.values(found));
  return Object.fromEntries(Object.entries(found).map(([name, part]) => [name, part / all]));
}
