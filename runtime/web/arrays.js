// The arrays that belong to a card: {shape, data} each, checked against it.
import { damaged } from "./errors.js";
import { ascii } from "./zip.js";

const KINDS = { "<f4": Float32Array, "|u1": Uint8Array, "|i1": Int8Array };
const DTYPES = {
  weights: "<f4", bias: "<f4", golden_images: "|u1", golden_scores: "<f4", golden_evidence: "<f4", golden_errors: "<f4",
  weights_rest: "|i1", golden_fine: "<f4",
};
export const ARRAYS = Object.keys(DTYPES);

// Little-endian numbers, copied: those of an artifact may lie at any byte.
export function numbers(Kind, bytes, at, count) {
  const end = at + count * Kind.BYTES_PER_ELEMENT;
  if (end > bytes.length) throw damaged(`bytes ${at} to ${end} of ${bytes.length}`);
  return new Kind(bytes.slice(at, end).buffer);
}

export function fromNpy(name, bytes) {
  const start = 10 + bytes[8] + bytes[9] * 256, header = ascii(bytes.subarray(0, Math.min(start, 1024)));
  const told = /^\x93NUMPY\x01\0..\{'descr': '(...)', 'fortran_order': False, 'shape': \(((?:\d{1,10}(?:, ?|(?=\))))*)\), \} *\n$/s.exec(header);
  if (!told || told[1] !== DTYPES[name]) throw damaged(`${name}: no .npy of ${DTYPES[name]} in C order`);
  const shape = (told[2].match(/\d+/g) ?? []).map(Number), Kind = KINDS[told[1]], count = product(shape);
  if (count * Kind.BYTES_PER_ELEMENT !== bytes.length - start) throw damaged(`${name}: shape [${shape}] does not fit its bytes`);
  return { shape, data: numbers(Kind, bytes, start, count) };
}

export const product = (shape) => shape.reduce((count, side) => count * side, 1);

// Class weights (C, K) that lie in the model: each operation rounds to float32.
export function weightsInModel(place, model, C, K, rest) {
  const { offset, dtype, classes_first, scale, zero_point, scales_offset } = place, round = Math.fround;
  const Kind = { int8: Int8Array, uint8: Uint8Array, float16: Uint16Array, float32: Float32Array }[dtype];
  const block = numbers(Kind, model, offset, C * K), read = dtype === "float16" ? half : round;
  const scales = scales_offset < 0 ? null : numbers(Float32Array, model, scales_offset, K);
  const data = new Float32Array(C * K);
  if (rest && rest.data.length !== C * K) throw damaged("weights_rest.npy has another shape than the class weights");
  for (let c = 0, at = 0; c < C; c++) {
    for (let k = 0; k < K; k++, at++) {
      let number = round(read(block[classes_first ? k * C + c : at]) - zero_point);
      if (rest) number = round(number + round(rest.data[at] / 254));
      data[at] = number * (scales ? round(round(scale) * scales[k]) : round(scale));
    }
  }
  return { shape: [C, K], data };
}

function half(bits) {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023, sign = bits >> 15 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
}

export function checkArrays({ head, preprocessing, labels }, guide, arrays) {
  const K = labels.length, grid = [head.height, head.width], adds = head.evidence === "device" || head.evidence === "graph";
  const images = arrays.golden_images.shape, N = images[0], perPlace = arrays.weights?.shape.length === 4 ? grid : [];
  const sides = [1, 2].map((axis) => Math.max(1, images[axis] ?? 1));
  const expected = {
    weights: head.evidence === "device" && [...perPlace, head.channels, K],
    bias: adds && [K],
    golden_images: [N, ...sides, preprocessing.channels],
    golden_scores: [N, K],
    golden_evidence: [N, ...grid],
    golden_errors: arrays.golden_errors && [N, 3],
    weights_rest: arrays.weights_rest && [head.channels, K],
    golden_fine: guide && [N, guide.height, guide.width],
  };
  for (const name of ARRAYS) {
    const { shape, data } = arrays[name] ?? {};
    if (String(shape) !== String(expected[name] || undefined)) {
      throw damaged(`${name} has shape ${shape && `[${shape}]`}, the card implies ${expected[name] ? `[${expected[name]}]` : "none"}`);
    }
    if (data instanceof Float32Array && !data.every(Number.isFinite)) throw damaged(`${name} holds numbers that are not finite`);
  }
}
