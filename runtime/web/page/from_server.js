// Answers of `camlite serve`: the picture goes to /explain as it is.
const LONGEST_SIDE = 1280, CAMERA_SIDE = 480;

// -> {explain, ...}, what app.js asks of either way to get an answer.
export function connect(facts, page) {
  page.element("private").hidden = true;
  page.title(facts.name, `${facts.name}, ${facts.precision}`);
  return { explain: (picture, labels) => explain(facts, page, picture, labels) };
}

async function explain(facts, page, { bitmap, file, live }, labels) {
  const asIs = file && facts.types.includes(file.type) && file.size <= facts.most_bytes;
  const blob = asIs ? file : await encoded(bitmap, live ? CAMERA_SIDE : LONGEST_SIDE);
  const query = labels.map((label, index) => `${index ? "&" : "?"}class=${encodeURIComponent(label)}`).join("");
  const headers = { "Content-Type": blob.type || "application/octet-stream" };
  const start = performance.now();
  let response;
  try {
    response = await page.fetch(`explain${query}`, { method: "POST", body: blob, headers });
  } catch (error) {
    throw error.fatal ? error : new Error("The server does not answer.");
  }
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error), { fatal: response.status !== 429 });
  return { answer, time: `Answered by the server in ${Math.round(performance.now() - start)} ms.` };
}

function encoded(bitmap, longest) {
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height)), canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
}
