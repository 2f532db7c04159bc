// Reads an artifact and verifies every byte of it, before an interpreter sees one: "In which order to verify".
import { ARRAYS, checkArrays, fromNpy, weightsInModel } from "./arrays.js";
import { readCard, readMaps, readPlace } from "./card.js";
import { checkSignature, decode, takeApart } from "./container.js";
import { damaged, named } from "./errors.js";
import { sha256 } from "./sha256.js";
import { unpack } from "./zip.js";

const MOST_JSON = 2 ** 20, MOST_UNPACKED_TIMES = 32, MOST_UNPACKED_BESIDE = 24 * 2 ** 20;
const CARD = "card.json", MAPS = "maps.json", PLACE = "weights_place.json", LABELS = "labels.txt";

// -> {container, model, card, arrays, maps, signer, trusted}
export function read(content, { trusted = null, name = "artifact" } = {}) {
  const bytes = new Uint8Array(content.buffer ?? content, content.byteOffset ?? 0, content.byteLength);
  return named(name, () => readBytes(bytes, trusted));
}

async function readBytes(bytes, trusted) {
  const { zip, model, card: text, ...parts } = await takeApart(bytes);
  if (trusted) await checkSignature(parts, trusted);
  checkEntries(zip.entries, text, bytes.length);
  const has = (name) => zip.entries.some((entry) => entry.name === name);
  const entry = (name) => {
    if (!has(name)) throw damaged(`${name} is missing`);
    return unpack(zip.bytes, zip.entries.find((one) => one.name === name));
  };
  const card = readCard(decode(text ?? (await entry(CARD)), "the card"), has("weights.npy") || has(PLACE));
  if ((await sha256(model)) !== card.model_sha256) throw damaged("the model is not the one of the card");
  if (has(LABELS) && `${await entry(LABELS)}` !== `${new TextEncoder().encode(card.labels.join("\n"))}`) throw damaged(LABELS);
  const arrays = {};
  for (const name of ARRAYS) if (has(`${name}.npy`)) arrays[name] = fromNpy(name, await entry(`${name}.npy`));
  if (!arrays.golden_images) throw damaged("golden_images.npy is missing");
  if (has(PLACE)) {
    if (arrays.weights) throw damaged(`weights.npy and ${PLACE} are both there`);
    const place = readPlace(decode(await entry(PLACE), PLACE));
    arrays.weights = weightsInModel(place, model, card.head.channels, card.labels.length, arrays.weights_rest);
  } else if (arrays.weights_rest) throw damaged(`weights_rest.npy is there without ${PLACE}`);
  const maps = has(MAPS) ? readMaps(decode(await entry(MAPS), MAPS)) : null;
  checkArrays(card, maps?.guide, arrays);
  return { container: parts.container, model, card, arrays, maps, signer: parts.signer ?? null, trusted: Boolean(trusted) };
}

// Known names, each once, within the limits: sizes are checked before anything is unpacked.
function checkEntries(entries, card, fileSize) {
  const known = new Set([MAPS, PLACE, ...(card ? [] : [CARD, LABELS]), ...ARRAYS.map((name) => `${name}.npy`)]);
  let unpacked = card?.length ?? 0;
  if (unpacked > MOST_JSON) throw damaged(`the card has ${unpacked} bytes, expected at most ${MOST_JSON}`);
  for (const { name, size } of entries) {
    if (!known.delete(name)) throw damaged(`entry ${JSON.stringify(name.slice(0, 40))} is unknown, or there twice`);
    if (name.endsWith(".json") && size > MOST_JSON) throw damaged(`${name} has ${size} bytes`);
    unpacked += size;
  }
  if (unpacked > MOST_UNPACKED_TIMES * fileSize + MOST_UNPACKED_BESIDE) {
    throw damaged(`it unpacks to ${unpacked} bytes`);
  }
}
