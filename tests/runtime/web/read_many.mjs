// Reads files that stand in one, each with its length before it (uint32), and tells of each as JSON: "" where it was
// read, else the message it was refused with; anything else that is thrown ends the program.
import { readFile } from "node:fs/promises";
import { CamliteError, read } from "../../../runtime/web/camlite.js";

const bytes = new Uint8Array(await readFile(process.argv[2])), view = new DataView(bytes.buffer, bytes.byteOffset);
const told = [];
for (let at = 0; at < bytes.length;) {
  const length = view.getUint32(at, true);
  const content = bytes.slice(at + 4, (at += 4 + length));
  try {
    await read(content);
    told.push("");
  } catch (error) {
    if (!(error instanceof CamliteError)) throw new Error(`file ${told.length}: ${error.stack}`);
    told.push(error.message);
  }
}
console.log(JSON.stringify(told));
