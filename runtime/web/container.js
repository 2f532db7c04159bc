// Takes a file apart and verifies its seal: see "The file" in artifact.md.
import { CamliteError, damaged } from "./errors.js";
import { sha256 } from "./sha256.js";
import { ascii, isLocalHeader, zipEntries } from "./zip.js";

const SEAL = "camlite seal sha256:", SIGNATURE = "camlite signature ed25519:";
const SEAL_LENGTH = 84, SIGNATURE_LENGTH = 219, MOST_BYTES = 2 ** 31 - 1;
const utf8 = new TextEncoder();

export function containerOf(bytes) {
  if (ascii(bytes.subarray(4, 8)) === "TFL3") return "tflite";
  return bytes[0] === 8 && bytes.length > 2 ? "onnx" : null;
}

// -> {container, model, seal, signer, signature, card (ONNX only), zip: {bytes, entries}}
export async function takeApart(bytes) {
  const container = containerOf(bytes);
  if (!container) throw new CamliteError("neither a TFLite nor an ONNX file; expected an artifact of `camlite export`");
  if (bytes.length > MOST_BYTES) throw new CamliteError(`larger than ${MOST_BYTES} bytes; no artifact is`);
  return { container, ...(await (container === "onnx" ? onnxParts : tfliteParts)(bytes)) };
}

export function decode(bytes, what) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw damaged(`${what} is not UTF-8`);
  }
}

const unsealed = () =>
  new CamliteError("no camlite card at its end; it is truncated, or `camlite export` did not make it");

async function checkSeal(payload, seal) {
  if (`${SEAL}${await sha256(payload)}` !== seal) throw damaged("the card and its arrays are not those that were sealed");
}

function signed(text) {
  const [, signer, signature] = /^camlite signature ed25519:([0-9a-f]{64}):([0-9a-f]{128})$/.exec(text) ?? [];
  if (!signer) throw damaged("the signature cannot be read");
  return { signer, signature };
}

async function tfliteParts(bytes) {
  let end = bytes.length, by = {};
  const last = ascii(bytes.subarray(-SIGNATURE_LENGTH));
  if (last.startsWith(SIGNATURE)) {
    end -= SIGNATURE_LENGTH;
    by = signed(last);
  }
  const sealAt = end - SEAL_LENGTH, seal = ascii(bytes.subarray(Math.max(0, sealAt), end));
  if (!seal.startsWith(SEAL) || sealAt < 0) throw unsealed();
  const entries = zipEntries(bytes, sealAt), start = entries.reduce((least, { local }) => Math.min(least, local), sealAt);
  if (!isLocalHeader(bytes, start)) throw damaged("the card's zip has no beginning");
  await checkSeal(bytes.subarray(start, sealAt), seal);
  if (bytes[sealAt - 2] + bytes[sealAt - 1] * 256 !== bytes.length - sealAt) {
    throw damaged("what follows the zip is not what it was sealed with");
  }
  return { model: bytes.subarray(0, start), seal, ...by, zip: { bytes, entries } };
}

// Of each key of metadata_props the last counts; what stands between card and seal is exactly what camlite writes.
async function onnxParts(bytes) {
  const found = Object.create(null);
  let start = -1, sealAt = -1;
  for (const { tag, begin, body, end } of fields(bytes, 0, bytes.length)) {
    if (tag !== 0x72) continue;
    let key = "", value = bytes.subarray(0, 0);
    for (const inner of fields(bytes, body, end)) {
      const content = bytes.subarray(inner.body, inner.end);
      if (inner.tag === 0x0a) key = content;
      if (inner.tag === 0x12) value = content;
    }
    key = key && decode(key, "the key of a property");
    if (key === "camlite.card") start = begin;
    if (key === "camlite.seal") sealAt = begin;
    found[key] = value;
  }
  const { "camlite.card": card, "camlite.arrays": arrays, "camlite.seal": seal, "camlite.signed": mark } = found;
  if (start < 0 || sealAt < start || !arrays) throw unsealed();
  await checkSeal(bytes.subarray(start, sealAt), ascii(seal.subarray(0, SEAL_LENGTH + 1)));
  let by = {};
  const ending = [property("camlite.seal", seal)], payload = [property("camlite.card", card), property("camlite.arrays", arrays)];
  if (mark) {
    const text = found["camlite.signature"] ?? new Uint8Array();
    by = signed(ascii(text.subarray(0, SIGNATURE_LENGTH + 1)));
    ending.push(property("camlite.signature", text));
    payload.push(property("camlite.signed", utf8.encode("ed25519")));
  }
  if (!equal(bytes.subarray(sealAt), ending)) throw damaged("bytes follow the seal");
  if (!equal(bytes.subarray(start, sealAt), payload)) throw damaged("other fields stand between its card and its seal");
  const zip = fromBase64(arrays);
  const parts = { model: bytes.subarray(0, start), seal: ascii(seal), ...by, card };
  return { ...parts, zip: { bytes: zip, entries: zipEntries(zip, zip.length) } };
}

// Bytes of a protobuf field, by its wire type; 0 where they are told by the field.
const AFTER = { 0: 0, 1: 8, 2: 0, 5: 4 };
const cut = (at) => damaged(`cut off at byte ${at}`);

function* fields(bytes, at, end) {
  while (at < end) {
    let [tag, body] = varint(bytes, at, end), stop;
    const wire = tag % 8;
    if (tag >= 2 ** 32 || !(wire in AFTER)) throw damaged(`no ONNX file: an unknown field at byte ${at}`);
    stop = body + AFTER[wire];
    if (wire === 0) [, stop] = varint(bytes, body, end);
    if (wire === 2) {
      [stop, body] = varint(bytes, body, end);
      stop += body;
    }
    if (stop > end) throw cut(at);
    yield { begin: at, end: stop, tag, body };
    at = stop;
  }
}

function varint(bytes, start, end) {
  let number = 0;
  for (let at = start; at < Math.min(start + 10, end); at++) {
    number += (bytes[at] & 127) * 2 ** (7 * (at - start));
    if (bytes[at] < 128) return [number, at + 1];
  }
  throw cut(end);
}

function property(key, value) {
  const name = utf8.encode(key), head = [0x0a, ...written(name.length), ...name, 0x12, ...written(value.length)];
  return [[0x72, ...written(head.length + value.length), ...head], value];
}

function written(number) {
  return number < 128 ? [number] : [(number % 128) + 128, ...written(Math.floor(number / 128))];
}

function equal(bytes, properties) {
  let at = 0;
  for (const part of properties.flat()) for (let i = 0; i < part.length; i++) if (bytes[at++] !== part[i]) return false;
  return at === bytes.length;
}

function fromBase64(bytes) {
  const text = decode(bytes, "arrays");
  if (text.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw damaged("arrays are no base64");
  const found = atob(text);
  return Uint8Array.from({ length: found.length }, (_, at) => found.charCodeAt(at));
}

// Whether the signature is of one of these public keys (hexadecimal), and fits the seal.
export async function checkSignature({ seal, signer, signature }, trusted) {
  if (!signer) throw new CamliteError("not signed; export it with --sign KEY");
  if (!trusted.includes(signer)) {
    throw new CamliteError(`signed with the key ${signer.slice(0, 16)}, which is not trusted`);
  }
  const raw = (text) => Uint8Array.from(text.match(/../g), (digits) => parseInt(digits, 16));
  const { subtle } = crypto, verified = async () => {
    const key = await subtle.importKey("raw", raw(signer), "Ed25519", false, ["verify"]);
    return subtle.verify("Ed25519", key, raw(signature), utf8.encode(seal));
  };
  const fits = await verified().catch(() => {
    throw new CamliteError("Ed25519 signatures need a newer browser, or HTTPS");
  });
  if (!fits) throw damaged("its signature does not fit");
}
