/** Reads an artifact of camlite, verifies it, runs it and explains its answers. */

/** Every error of this module: one line that says what is wrong, and what to do. */
export class CamliteError extends Error {
  readonly name: "CamliteError";
}

/** Bytes of 1 (grey), 3 (RGB) or 4 (RGBA, alpha is dropped) channels, row by row: an ImageData is one. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

export interface Window {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** See "The card" in artifact.md. */
export interface Card {
  readonly name: string;
  readonly precision: "float32" | "float16" | "dynamic" | "int8" | "int16x8";
  readonly labels: readonly string[];
  readonly preprocessing: {
    readonly height: number;
    readonly width: number;
    readonly channels: 1 | 3;
    readonly scale: readonly number[];
    readonly offset: readonly number[];
    readonly fit: "stretch" | "crop";
    readonly order: "rgb" | "bgr";
  };
  readonly head: {
    readonly layer: string;
    readonly height: number;
    readonly width: number;
    readonly channels: number;
    readonly activation: "softmax" | "sigmoid" | "linear";
    readonly evidence: "device" | "graph" | "gradient" | "gradient_top";
    readonly window: Window;
  };
  readonly classifier_sha256: string;
  readonly model_sha256: string;
  readonly made_with: Readonly<Record<string, string>>;
  readonly pixels: string;
  readonly unfit: string;
  readonly image_layout: "hwc" | "chw";
  readonly features_layout: "hwc" | "chw";
}

/** Numbers in C order. */
export interface Numbers<Data = Float32Array> {
  readonly shape: readonly number[];
  readonly data: Data;
}

/** See "maps.json" in artifact.md. */
export interface Guide {
  readonly height: number;
  readonly width: number;
  readonly classes: "top" | "all";
  readonly layers: readonly string[];
  readonly method: "layercam" | "hirescam";
  readonly smooth: boolean;
  readonly radius: number;
  readonly floor: number;
  readonly window: Window;
}

/** A verified artifact: every byte is under its seal or its card's digest. */
export interface Artifact {
  readonly container: "tflite" | "onnx";
  /** What an interpreter is given. */
  readonly model: Uint8Array;
  readonly card: Card;
  readonly arrays: {
    readonly weights?: Numbers;
    readonly bias?: Numbers;
    readonly golden_images: Numbers<Uint8Array>;
    readonly golden_scores: Numbers;
    readonly golden_evidence: Numbers;
    readonly golden_errors?: Numbers;
    readonly golden_fine?: Numbers;
    readonly weights_rest?: Numbers<Int8Array>;
  };
  readonly maps: {
    readonly guide: Guide | null;
    readonly measured: readonly { readonly map: string; readonly insertion: number; readonly deletion: number }[];
    readonly measured_on: number;
    readonly chosen: string;
  } | null;
  /** The public key, hexadecimal, that it says it was signed with; null where it is not signed. */
  readonly signer: string | null;
  /** Whether that signature was verified, and its key is one of the trusted. */
  readonly trusted: boolean;
}

export interface ReadOptions {
  /** Public keys, 64 hexadecimal digits each: the artifact must be signed with one of them. */
  readonly trusted?: readonly string[] | null;
  /** What errors call the file. */
  readonly name?: string;
}

/** @throws {CamliteError} no artifact, damaged, of another format version, or not signed with a trusted key. */
export function read(content: ArrayBuffer | Uint8Array, options?: ReadOptions): Promise<Artifact>;

/** A tensor without its batch axis; real = (stored - zeroPoint) * scale, or stored where scale is 0 or missing. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int8" | "uint8";
  readonly scale?: number;
  readonly zeroPoint?: number;
}

type Stored = Float32Array | Int8Array | Uint8Array;

/** An opened model, of one's own interpreter too. It is asked for one picture at a time. */
export interface Interpreter {
  readonly input: Tensor | null;
  /** features and scores, and where the model has them evidence and guide. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  run(input: Stored): Promise<Record<string, Stored>>;
  close?(): unknown;
}

/**
 * onnxruntime-web for ONNX, or @litertjs/core for TFLite, after its loadLiteRt().
 * The names are those that this module uses of them.
 */
export type InterpreterLibrary = { InferenceSession: unknown; Tensor: unknown } | { loadAndCompile: unknown; Tensor: unknown };

/** @throws {CamliteError} the library does not run this container, or cannot load the model. */
export function openModel(artifact: Artifact, library: InterpreterLibrary): Promise<Interpreter>;

/** Reads, verifies and opens an artifact. @throws {CamliteError} see `read` and `openModel`. */
export function load(
  content: ArrayBuffer | Uint8Array,
  interpreter: InterpreterLibrary | Interpreter,
  options?: ReadOptions,
): Promise<Explainer>;

export interface ExplainOptions {
  /** Classes to explain, by index or label; by default the one with the largest score (other than `against`). */
  readonly classes?: readonly (number | string)[] | null;
  /** The class that they are explained against: the maps are differences of evidence. */
  readonly against?: number | string | null;
  /** Whether NaN in an answer is an error (default: true). */
  readonly finite?: boolean;
}

export class Explainer {
  /** @throws {CamliteError} the model's tensors are not those of the card, or the guide does not cover the evidence. */
  constructor(artifact: Artifact, interpreter: Interpreter);
  readonly artifact: Artifact;
  readonly interpreter: Interpreter;
  readonly labels: readonly string[];
  readonly guide: Guide | null;
  /** Whether any class can be explained; else only the top class. */
  readonly anyClass: boolean;
  /** Calls wait for each other. @throws {CamliteError} no picture, an unknown class, or an answer that is not finite. */
  explain(picture: Picture, options?: ExplainOptions): Promise<Explanation>;
  /** Frees the interpreter's memory. */
  close(): unknown;
}

export class Explanation {
  readonly explainer: Explainer;
  readonly picture: Picture;
  /** Index of the class with the largest score; of equals, the first. */
  readonly top: number;
  readonly label: string;
  readonly score: number;
  readonly scores: Float32Array;
  /** Indices of the explained classes; the maps below are in this order. */
  readonly classes: readonly number[];
  readonly against: number | null;
  /** (h, w) numbers each, in logits. */
  readonly evidence: readonly Float32Array[];
  /** (h', w') numbers each, in logits; null where there is no guide of these classes. */
  readonly fine: readonly Float32Array[] | null;
  /** Which of the two `maps` are, and where their cells lie over the classifier's input. */
  readonly kind: "fine" | "plain";
  readonly maps: readonly Float32Array[];
  readonly grid: { readonly height: number; readonly width: number; readonly window: Window };
  /** The part of the picture that the classifier sees. */
  readonly window: { readonly top: number; readonly left: number; readonly rows: number; readonly columns: number };
  /** How far evidence is from adding up to the scores, in scores; null where it need not. */
  readonly completeness: number | null;
  /** (height, width) numbers of 0..1, of the size of the classifier's input. */
  heatmap(index?: number): Float32Array;
  /** (H, W) numbers of 0..1, of the size of the picture, smooth, as they are drawn; `peak` is the evidence that becomes 1. */
  spread(index?: number, peak?: number): Float32Array;
  /** RGBA of the size of the picture, for `new ImageData(pixels, width, height)`. */
  overlay(options?: { index?: number; opacity?: number; peak?: number }): Uint8ClampedArray;
  /** What `camlite explain --json` says, see explanation.schema.json. */
  toJSON(): Record<string, unknown>;
}

/** RGBA: the colours of heat (0..1 for each pixel) over the grey picture. */
export function overlay(picture: Picture, heat: Float32Array, opacity?: number): Uint8ClampedArray;
