// Reads an artifact, verifies it, runs it and explains its answers. artifact.md is what it follows.
export { read } from "./artifact.js";
export { CamliteError } from "./errors.js";
export { load, Explainer, Explanation } from "./explainer.js";
export { openModel } from "./interpreters.js";
export { overlay } from "./overlay.js";
export { check } from "./self_check.js";
