// The colours of a heatmap over the grey picture: "Overlay" in artifact.md.
import { channelsOf, LUMA } from "./pixels.js";

// Inferno: van der Walt and Smith, 2015; CC0. Red, green and blue of 33 colours, from cold to hot.
const COLOURS = (
  "0000040403120b0724150b37210c4a2e0a5a3c09654a0c6b57106d63146e70196e7d1e6d89226a962766a32b61af315cbb3755c63e4dd14644" +
  "db4f3be35932eb6528f1711ef67f14f98d0afb9c06fcab0ffbba1ff9ca32f5d949f2e865f3f586fcffa4"
).match(/../g).map((digits) => parseInt(digits, 16));

export function colour(heat, channel) {
  const place = heat * 32, below = Math.min(Math.floor(place), 31), share = place - below, at = below * 3 + channel;
  return COLOURS[at] * (1 - share) + COLOURS[at + 3] * share;
}

// Heat of 0..1 for each pixel -> RGBA for ImageData, which rounds half to even itself.
export function overlay(picture, heat, opacity = 0.8) {
  const { width, height, data } = picture, channels = channelsOf(picture), drawn = new Uint8ClampedArray(width * height * 4);
  for (let p = 0, from = 0, to = 0; p < heat.length; p++, from += channels, to += 4) {
    const grey = channels === 1 ? data[from] : LUMA[0] * data[from] + LUMA[1] * data[from + 1] + LUMA[2] * data[from + 2];
    const share = opacity * Math.sqrt(heat[p]);
    for (let c = 0; c < 3; c++) drawn[to + c] = grey * (1 - share) + (share && colour(heat[p], c) * share);
    drawn[to + 3] = 255;
  }
  return drawn;
}
