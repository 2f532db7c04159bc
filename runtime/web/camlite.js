// Reads an artifact, verifies it, runs it and explains its answers, as artifact.md says. The self-check stands beside it.
export { read } from "./artifact.js";
export { CamliteError } from "./errors.js";
export { load, Explainer, Explanation } from "./explainer.js";
export { openModel } from "./interpreters.js";
export { overlay } from "./overlay.js";
