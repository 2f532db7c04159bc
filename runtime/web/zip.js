// The zip of an artifact, and nothing else that a zip may be: see "The zip" in artifact.md.
import { damaged } from "./errors.js";

const END = 22, DIRECTORY = 46, LOCAL = 30;
const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const ascii = (bytes) => String.fromCharCode(...bytes);
export const isLocalHeader = (bytes, at) => at + 4 <= bytes.length && view(bytes).getUint32(at, true) === 0x04034b50;

// The entries of a zip that ends at `end`, where its comment begins.
export function zipEntries(bytes, end) {
  const data = view(bytes), at = end - END;
  const wrong = () => damaged("the zip's directory");
  if (at < 0 || data.getUint32(at, true) !== 0x06054b50) throw wrong();
  const [disk, first, here, count] = [4, 6, 8, 10].map((field) => data.getUint16(at + field, true));
  let start = data.getUint32(at + 16, true);
  if (disk || first || here !== count || start + data.getUint32(at + 12, true) !== at) throw wrong();
  const found = [];
  while (start < at) {
    const names = start + DIRECTORY;
    if (names > at || data.getUint32(start, true) !== 0x02014b50) throw wrong();
    const [flags, method, length, extra, comment] = [8, 10, 28, 30, 32].map((f) => data.getUint16(start + f, true));
    const [crc, packed, size, local] = [16, 20, 24, 42].map((field) => data.getUint32(start + field, true));
    start = names + length + extra + comment;
    if (start > at) throw wrong();
    const name = ascii(bytes.subarray(names, names + length));
    found.push({ name, flags, method, crc, packed, size, local });
  }
  if (found.length !== count) throw wrong();
  return found;
}

// What an entry holds; never more bytes than it says it has.
export async function unpack(bytes, { name, flags, method, crc, packed, size, local }) {
  const data = view(bytes), names = local + LOCAL;
  const wrong = () => damaged(`${name} in its zip`);
  if (method & ~8 || flags & 1 || names > bytes.length || !isLocalHeader(bytes, local)) throw wrong();
  const length = data.getUint16(local + 26, true), start = names + length + data.getUint16(local + 28, true);
  if (ascii(bytes.subarray(names, names + length)) !== name || start + packed > bytes.length) throw wrong();
  const stored = bytes.slice(start, start + packed), unpacked = method ? await inflate(stored, size) : packed === size && stored;
  if (!unpacked || crc32(unpacked) !== crc) throw wrong();
  return unpacked;
}

async function inflate(bytes, size) {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const unpacked = new Uint8Array(size);
  let filled = 0;
  try {
    for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
      if (filled + value.length > size) return void reader.cancel().catch(() => {});
      unpacked.set(value, filled);
      filled += value.length;
    }
  } catch {
    return undefined;
  }
  return filled === size ? unpacked : undefined;
}

function crc32(bytes) {
  const table = Int32Array.from({ length: 256 }, (_, byte) => {
    for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
    return byte;
  });
  let crc = -1;
  for (const byte of bytes) crc = table[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}
