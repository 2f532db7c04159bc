// One page with two ways to get an answer: in this browser (in_browser.js), or from `camlite serve` (from_server.js);
// and the camera of the server, live (live.js).
// The evidence of the answer is drawn over the picture here, as camlite draws it.
"use strict";

const element = (id) => document.getElementById(id);
const view = element("view");
const context = view.getContext("2d");
const MAY_BE_TRANSPARENT = /^image\/(?!jpe?g|bmp)/;
const MOST_CLASSES = 10, LONGEST_SIDE = 1280, GRID = 96;

let facts = { colours: [] };
let shown = null;      // what is on the stage: {picture, answer, artifact}; a picture is {bitmap, file, live}
let wanted = null;     // the picture that was asked about last
let asked = null;      // the class to explain; null is the top one
let camera = null;     // the stream of the open camera
let live = null;       // aborts the view of the server's camera, while it is open
let hidden = false;    // whether that view was closed because nobody saw the page
let turn = 0;          // grows with each picture, so that a late answer is not shown for another one
let serverFetch = null;
const engine = start();

async function start() {
  try {
    facts = await (await fetch("page.json")).json();
  } catch {
    say("The server does not answer; reload the page.", true);
    return { explain: async () => { throw new Error("The server does not answer; reload the page."); } };
  }
  const ramp = element("ramp").getContext("2d");
  facts.colours.forEach(([r, g, b], x) => { ramp.fillStyle = `rgb(${r} ${g} ${b})`; ramp.fillRect(x, 0, 1, 1); });
  const page = { element, say, title, again, open, fetch: (...request) => fetch(...request) };
  if (facts.token) page.fetch = (await import("./access.js")).guarded(page);
  serverFetch = page.fetch;
  if (facts.live) {
    element("live").hidden = false;
    press("camera", false, "Open this device's camera");
  }
  if (facts.live && element("access").hidden) openLive();
  return facts.artifacts ? inBrowser(page) : fromServer(page);
}

const fromServer = async (page) => (await import("./from_server.js")).connect(facts, page);

// Where there is a server (`facts.types` are what it takes), it answers for browsers that cannot run the classifier.
async function inBrowser(page) {
  const here = (await import("./in_browser.js")).connect(facts, page);
  let there = null;
  const explain = async (picture, labels) => {
    try {
      return await (there ?? here).explain(picture, labels);
    } catch (error) {
      if (there || !error.unable || !facts.types) throw error;
      there = await fromServer(page);
      return there.explain(picture, labels);
    }
  };
  return { ...here, explain };
}

function title(name, text) {
  document.title = `${name} · camlite`;
  element("artifact").textContent = text;
}

function say(text, bad = false) {
  element("message").textContent = text;
  element("message").classList.toggle("bad", bad);
}

// The same picture, of another artifact or with a token.
function again() {
  asked = null;
  say("");
  engine.then(({ again: load }) => load?.());
  if (wanted) explain(wanted).catch(() => {});
  else if (facts.live) openLive();
}

async function explain(picture) {
  const mine = ++turn;
  wanted = picture;
  try {
    // The top class goes with any other, for both have one scale.
    const labels = asked === null ? [] : [...new Set([asked, shown.answer.label])];
    const { answer, time, artifact } = await (await engine).explain(picture, labels);
    if (mine !== turn) return picture !== wanted && picture !== shown?.picture && picture.bitmap.close();
    if (shown && shown.picture !== picture) shown.picture.bitmap.close();
    shown = { picture, answer, artifact };
    say("");
    draw();
    tell(time);
  } catch (error) {
    if (mine === turn) say(error.message, true);
    throw error;
  }
}

async function open(file) {
  closeCamera();
  closeLive();
  asked = null;
  say("Looking …");
  let bitmap;
  try {
    bitmap = await opaque(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    return say(`${file.name || "This file"}: the browser cannot show it; expected a picture, such as JPEG or PNG.`, true);
  }
  explain({ bitmap, file, live: false }).catch(() => {});
}

// A picture without its transparency, as Python reads it: the colours that are stored below stay. A canvas would make them
// black, for it stores colours multiplied by their alpha; WebGL does not. Without WebGL they become black.
async function opaque(file, options) {
  const bitmap = await createImageBitmap(file, { ...options, premultiplyAlpha: "none" });
  const gl = MAY_BE_TRANSPARENT.test(file.type) && document.createElement("canvas").getContext("webgl");
  if (!gl || Math.max(bitmap.width, bitmap.height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return bitmap;
  const { width, height } = bitmap, image = new ImageData(width, height), bytes = new Uint8Array(image.data.buffer);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, gl.getParameter(gl.TEXTURE_BINDING_2D), 0);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
  const failed = gl.getError();
  gl.getExtension("WEBGL_lose_context")?.loseContext(); // a page may have few, and this one holds the picture
  if (failed) return bitmap;
  for (let alpha = 3; alpha < bytes.length; alpha += 4) bytes[alpha] = 255;
  return createImageBitmap(image);
}

function draw() {
  const { picture: { bitmap }, answer } = shown;
  const scale = Math.max(1, Math.ceil(320 / Math.max(bitmap.width, bitmap.height)));
  const shrink = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  view.width = Math.max(1, Math.round(bitmap.width * scale * shrink));
  view.height = Math.max(1, Math.round(bitmap.height * scale * shrink));
  context.imageSmoothingEnabled = scale === 1;
  context.drawImage(bitmap, 0, 0, view.width, view.height);
  const strength = element("opacity").value / 100;
  const maps = answer.explained.map(({ evidence }) => resized(evidence, answer.window, answer.grid));
  const peak = maps.reduce((most, map) => map.reduce((one, value) => Math.max(one, value), most), 0);
  element("most").textContent = `${peak.toPrecision(3)} logits`;
  if (strength > 0) {
    context.globalCompositeOperation = "saturation";
    context.fillStyle = "hsl(0 0% 50%)";
    context.fillRect(0, 0, view.width, view.height);
    context.globalCompositeOperation = "source-over";
    const { left, top, right, bottom } = answer.window;
    const x = view.width / answer.width, y = view.height / answer.height;
    context.imageSmoothingEnabled = true;
    context.drawImage(heat(maps[0], peak, strength),
      left * x, top * y, (right - left) * x, (bottom - top) * y);
  }
  view.hidden = false;
  element("stage").classList.add("filled");
}

// Of the window of the image that the map covers; the map itself lies over the grid, which may be larger. Smooth, by a
// quadratic B-spline, clipped at 0, in logits: "Heatmap" in artifact.md.
function resized(evidence, window, grid) {
  const rows = evidence.length, columns = evidence[0].length, values = new Float32Array(GRID * GRID);
  const clip = (number, least, most) => Math.min(Math.max(number, least), most);
  const cells = (place, size, start, stop, first, last) => {
    const share = (start + (place + 0.5) * (stop - start) / GRID - first) / (last - first);
    const centre = clip(share * size - 0.5, -1, size), near = Math.floor(centre + 0.5), off = centre - near;
    const weights = [(0.5 - off) ** 2 / 2, 0.75 - off ** 2, (0.5 + off) ** 2 / 2];
    return weights.map((weight, step) => [clip(near + step - 1, 0, size - 1), weight]);
  };
  const mean = (of, from) => of.reduce((sum, [cell, weight]) => sum + from(cell) * weight, 0);
  const across = Array.from({ length: GRID }, (_, x) => cells(x, columns, window.left, window.right, grid.left, grid.right));
  for (let y = 0; y < GRID; y++) {
    const down = cells(y, rows, window.top, window.bottom, grid.top, grid.bottom);
    const line = evidence[0].map((_, column) => mean(down, (row) => evidence[row][column]));
    across.forEach((some, x) => { values[y * GRID + x] = Math.max(0, mean(some, (column) => line[column])); });
  }
  return values;
}

// The hotter, the more opaque; hottest where the evidence is that of the peak.
function heat(values, peak, strength) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = GRID;
  const image = new ImageData(GRID, GRID);
  values.forEach((value, index) => {
    const share = peak > 0 ? value / peak : 0;
    const colour = facts.colours[Math.round(share * (facts.colours.length - 1))];
    image.data.set([...colour, 255 * strength * Math.sqrt(share)], index * 4);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

const NAMES = { upper_left: "upper left", upper_right: "upper right", lower_left: "lower left", lower_right: "lower right" };

function tell(time) {
  const { answer } = shown, one = answer.explained[0];
  element("result").hidden = false;
  element("time").textContent = time;
  element("label").textContent = answer.label;
  element("score").textContent = answer.score.toFixed(3);
  const quarters = Object.entries(one.quadrants || {}).sort((a, b) => b[1] - a[1]);
  element("where").textContent = !quarters.length ? `Nothing in the picture speaks for ${one.label}.`
    : quarters[0][1] < 0.35 ? `What speaks for ${one.label} is spread over the picture.`
    : `What speaks for ${one.label} is strongest in the ${NAMES[quarters[0][0]]} (${Math.round(quarters[0][1] * 100)}\u00a0%).`;
  view.setAttribute("aria-label", `${answer.label}, ${answer.score.toFixed(3)}. ${element("where").textContent}`);
  const ranked = Object.entries(answer.scores).sort((a, b) => b[1] - a[1]).slice(0, MOST_CLASSES);
  const list = element("scores"), largest = Math.max(1, ...ranked.map(([, score]) => score));
  while (list.children.length > ranked.length) list.lastChild.remove();
  while (list.children.length < ranked.length) list.append(row());
  ranked.forEach(([label, score], index) => {
    const button = list.children[index].firstChild, [bar, name, number] = button.children;
    button.dataset.label = label;
    button.setAttribute("aria-pressed", String(label === one.label));
    bar.firstChild.setAttribute("width", `${Math.max(0, score / largest) * 100}%`);
    name.textContent = label;
    number.textContent = score.toFixed(3);
  });
}

function row() {
  const item = document.createElement("li"), button = document.createElement("button");
  const bar = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  bar.setAttribute("aria-hidden", "true");
  bar.append(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
  bar.firstChild.setAttribute("height", "100%");
  button.type = "button";
  button.append(bar, document.createElement("span"), document.createElement("span"));
  button.addEventListener("click", () => choose(button.dataset.label));
  item.append(button);
  return item;
}

function choose(label) {
  closeLive(); // the picture that is shown stays, and is one like any other
  shown.picture.live = Boolean(camera);
  asked = label === shown.answer.label ? null : label;
  if (!camera) explain(shown.picture).catch(() => {});
}

// The camera of the server. A page that nobody sees closes it, and the model rests.
async function openLive() {
  closeCamera();
  closeLive();
  const mine = live = new AbortController();
  press("live", true, "Pause");
  asked = null;
  turn++;
  say("Waiting for the camera …");
  const { events, bitmapOf } = await import("./live.js");
  while (live === mine) {
    try {
      for await (const { type, data } of events(serverFetch, "live", mine.signal)) {
        if (type !== "picture") {
          stale(true);
          say(data.message, true);
          continue;
        }
        const bitmap = await bitmapOf(data);
        if (live !== mine) return bitmap.close();
        showLive({ bitmap, file: null, live: true }, data);
      }
      if (live === mine) say("The server has ended the view; trying again …", true);
    } catch (error) {
      if (live !== mine) return;
      say(error.fatal ? error.message : error.busy ? `The server says: ${error.message}.` : "The server does not answer; trying again …", true);
      if (error.fatal) return closeLive();
    }
    stale(true);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

function showLive(picture, { explanation, ms }) {
  shown?.picture.bitmap.close();
  wanted = null;
  shown = { picture, answer: explanation };
  stale(false);
  say("");
  draw();
  tell(`Live from the server's camera, explained once for all viewers in ${Math.round(ms)} ms.`);
}

function closeLive() {
  if (!live) return;
  live.abort();
  live = null;
  stale(false);
  press("live", false, "Show the live camera");
}

// What is shown is not what the camera sees now.
function stale(is) {
  element("stage").classList.toggle("stale", is);
}

function press(id, pressed, text) {
  element(id).setAttribute("aria-pressed", String(pressed));
  element(id).textContent = text;
}

async function openCamera() {
  closeLive();
  if (!navigator.mediaDevices) {
    return say("The browser opens the camera only for pages of this machine, or over HTTPS; choose a picture instead.", true);
  }
  try {
    camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 640 } } });
  } catch (error) {
    return say(`No camera: ${error.message}`, true);
  }
  asked = null;
  press("camera", true, "Close the camera");
  const video = element("video");
  video.srcObject = camera;
  await video.play();
  const stream = camera;
  while (camera === stream) {
    try {
      await explain({ bitmap: await createImageBitmap(video), file: null, live: true });
      await new Promise(requestAnimationFrame);
    } catch (error) {
      if (error.fatal) return closeCamera();
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

function closeCamera() {
  if (!camera) return;
  camera.getTracks().forEach((track) => track.stop());
  camera = null;
  press("camera", false, facts.live ? "Open this device's camera" : "Open the camera");
}

element("file").addEventListener("change", (event) => { if (event.target.files[0]) open(event.target.files[0]); event.target.value = ""; });
element("camera").addEventListener("click", () => (camera ? closeCamera() : openCamera()));
element("live").addEventListener("click", () => (live ? closeLive() : openLive()));
document.addEventListener("visibilitychange", () => {
  if (document.hidden && live) {
    closeLive();
    hidden = true;
  } else if (!document.hidden && hidden) {
    hidden = false;
    openLive();
  }
});
element("opacity").addEventListener("input", () => shown && draw());
addEventListener("dragover", (event) => { event.preventDefault(); element("stage").classList.add("over"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) element("stage").classList.remove("over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  element("stage").classList.remove("over");
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});
addEventListener("paste", (event) => { if (event.clipboardData.files[0]) open(event.clipboardData.files[0]); });
