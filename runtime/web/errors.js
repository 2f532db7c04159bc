// The one error of this module: what is wrong, and what to do, in one line.
export class CamliteError extends Error {
  name = "CamliteError";
}

export function damaged(what) {
  return new CamliteError(`damaged artifact: ${what}; copy or export it again`);
}
