// Where a page is not on HTTPS there is no crypto.subtle: the module's own SHA-256 takes its place.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { ownSha256, sha256 } from "../../../runtime/web/sha256.js";

const bytes = Uint8Array.from({ length: 1_000_003 }, (_, index) => (index * 2654435761) >>> 13);

test("it is SHA-256 at every length around its blocks, and of a large file", () => {
  for (const length of [...Array(200).keys(), bytes.length]) {
    const some = bytes.subarray(0, length);
    assert.equal(ownSha256(some), createHash("sha256").update(some).digest("hex"), `${length} bytes`);
  }
});

test("both are the same", async () => {
  assert.equal(await sha256(bytes), ownSha256(bytes));
});
