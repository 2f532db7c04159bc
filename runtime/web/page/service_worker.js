// Keeps the whole site on the device, so that it works offline after the first visit. `camlite to-web` writes which
// files there are, and their SHA-256: one that arrived damaged is not kept, and another version has another cache.
const SITE = { version: "", files: {} };
// Sites in other folders of the same server have caches of their own.
const MINE = `camlite ${registration.scope} `, KEPT = MINE + SITE.version;

// A new version takes over at once, and what is no longer in the site leaves the device; open pages say so.
addEventListener("install", (event) => event.waitUntil(keepAll().then(() => skipWaiting())));
addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith(MINE) && name !== KEPT);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))));
  event.waitUntil(clients.claim());
});
addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const home = new URL("./", registration.scope).href, address = request.url.split(/[?#]/)[0];
  const name = address === home || address === `${home}index.html` ? "./" : request;
  const found = caches.open(KEPT).then((cache) => cache.match(name, { ignoreSearch: true }));
  event.respondWith(found.then((answer) => answer ?? fetch(request)));
});

async function keepAll() {
  const cache = await caches.open(KEPT);
  await Promise.all(Object.entries(SITE.files).map(async ([name, expected]) => {
    // A server tells by the second when a file was changed: what the browser has kept may be damaged, and pass for new.
    const answer = await fetched(name, expected, "no-cache") ?? await fetched(name, expected, "reload");
    if (!answer) throw new Error(`${name} is not as camlite to-web has written it`);
    await cache.put(name, answer);
  }));
}

async function fetched(name, expected, cache) {
  const answer = await fetch(name, { cache }), bytes = await answer.clone().arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const received = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return received === expected ? answer : null;
}
