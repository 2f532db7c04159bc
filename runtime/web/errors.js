// The one error of this module: what is wrong, and what to do, in one line.
export class CamliteError extends Error {
  name = "CamliteError";
}

// Errors of some work begin with the name of its file.
export async function named(name, work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CamliteError) error.message = `${name}: ${error.message}`;
    throw error;
  }
}

export function damaged(what) {
  return new CamliteError(`damaged artifact: ${what}; copy or export it again`);
}
