// The card, maps.json and weights_place.json, field by field: artifact.md tells what each means.
import { CamliteError } from "./errors.js";
import { list, maybe, object, one, parse, real, refuse, text, texts, whole } from "./typed_json.js";

const LARGEST = 3.4028234663852886e38, side = whole(1, 16384);
const edges = object({ top: real(-100, 1), left: real(-100, 1), bottom: real(0, 100), right: real(0, 100) });
const WHOLE = { top: 0, left: 0, bottom: 1, right: 1 };

function span(value, where) {
  const found = edges(value, where), meets = (start, stop) => start < 1 && stop > 0 && stop - start >= 1e-4;
  return meets(found.top, found.bottom) && meets(found.left, found.right) ? found : refuse(where, "a window that meets the image");
}

const preprocessing = {
  height: side, width: side, channels: whole(1, 3), scale: list(real(-LARGEST, LARGEST)),
  offset: list(real(-LARGEST, LARGEST)), fit: one("stretch", "crop"), order: one("rgb", "bgr"),
};
const head = { layer: text, height: side, width: side, channels: side, activation: one("softmax", "sigmoid", "linear") };
const layout = one("hwc", "chw"), USUAL = { image_layout: "hwc", features_layout: "hwc" };
const shared = {
  name: text, precision: one("float32", "float16", "dynamic", "int8", "int16x8"), labels: list(text, 1),
  preprocessing: object(preprocessing), classifier_sha256: text, model_sha256: text, made_with: texts,
};
const VERSIONS = {
  1: object({ ...shared, head: object({ ...head, method: one("cam", "hirescam") }) }),
  2: object({
    ...shared, pixels: text, unfit: text, image_layout: layout, features_layout: layout,
    head: object({ ...head, evidence: one("device", "graph", "gradient", "gradient_top"), window: span }),
  }, USUAL),
};

export function readCard(json, hasWeights) {
  const fields = parse(json, "the card"), format = fields?.format, version = typeof format === "bigint" && VERSIONS[format];
  if (!version) throw new CamliteError("a format version other than 1 and 2, which this reader knows; update it");
  delete fields.format;
  const card = version(fields, "card"), { channels, scale, offset } = card.preprocessing;
  if (channels === 2 || scale.length !== channels || offset.length !== channels) {
    refuse("card", "1 or 3 channels, a scale and an offset of each");
  }
  if (format === 2n) return card;
  const { method, ...rest } = card.head;
  const evidence = method === "cam" ? (hasWeights ? "device" : "graph") : card.labels.length > 64 ? "gradient_top" : "gradient";
  return { ...card, ...USUAL, head: { ...rest, evidence, window: WHOLE }, pixels: "", unfit: "" };
}

const guide = object({
  height: whole(1, 1024), width: whole(1, 1024), classes: one("top", "all"), layers: list(text, 1),
  method: one("layercam", "hirescam"), smooth: one(true, false), radius: real(0.5, 100), floor: real(0, 100), window: span,
});
const measured = object({ map: text, insertion: real(), deletion: real() });
const maps = object({ guide: maybe(guide), measured: list(measured), measured_on: whole(0), chosen: text });
const place = object({
  offset: whole(0), dtype: one("int8", "uint8", "float16", "float32"), classes_first: one(true, false),
  scale: real(), zero_point: whole(-128, 255), scales_offset: whole(-1),
}, { zero_point: 0n, scales_offset: -1n });

export const readMaps = (json) => maps(parse(json, "maps.json"), "maps");
export const readPlace = (json) => place(parse(json, "weights_place.json"), "weights_place");
