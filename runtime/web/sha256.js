// SHA-256 (FIPS 180-4). Browsers have crypto.subtle only on HTTPS and localhost; ours takes its place elsewhere.
const first = (count, root) => {
  const found = [];
  for (let n = 2; found.length < count; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) prime &&= n % d > 0;
    if (prime) found.push(((root(n) % 1) * 2 ** 32) | 0);
  }
  return found;
};
const START = first(8, Math.sqrt), ROUNDS = first(64, Math.cbrt);

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export async function sha256(bytes) {
  const subtle = globalThis.crypto?.subtle;
  return subtle ? hex(new Uint8Array(await subtle.digest("SHA-256", bytes))) : ownSha256(bytes);
}

export function ownSha256(bytes) {
  const whole = bytes.length & ~63, rest = bytes.length - whole;
  const tail = new Uint8Array(rest < 56 ? 64 : 128), view = new DataView(tail.buffer);
  tail.set(bytes.subarray(whole));
  tail[rest] = 0x80;
  view.setUint32(tail.length - 8, bytes.length / 2 ** 29);
  view.setUint32(tail.length - 4, bytes.length << 3);
  const state = Int32Array.from(START);
  mix(state, bytes, whole);
  mix(state, tail, tail.length);
  const found = new DataView(new ArrayBuffer(32));
  state.forEach((word, index) => found.setInt32(index * 4, word));
  return hex(new Uint8Array(found.buffer));
}

function mix(state, bytes, end) {
  const w = new Int32Array(64), turn = (x, n) => (x >>> n) | (x << (32 - n));
  for (let at = 0; at < end; at += 64) {
    for (let i = 0, j = at; i < 16; i++, j += 4) {
      w[i] = (bytes[j] << 24) | (bytes[j + 1] << 16) | (bytes[j + 2] << 8) | bytes[j + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      w[i] = w[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + w[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const t = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i] + w[i];
      const s = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t) | 0, c, b, a, (t + s) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, index) => { state[index] += word; });
  }
}
