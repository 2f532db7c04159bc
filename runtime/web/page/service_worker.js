// Keeps the whole site on the device, so that it works offline after the first visit. The list is written by
// `camlite to-web`: another version of any file is another list, and so another cache.
const SITE = { version: "", files: [] };

addEventListener("install", (event) => {
  event.waitUntil(caches.open(SITE.version).then((cache) => cache.addAll(SITE.files)));
});
addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name.startsWith("camlite-") && name !== SITE.version);
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names).map((name) => caches.delete(name)))));
  event.waitUntil(clients.claim());
});
addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  const found = caches.open(SITE.version).then((cache) => cache.match(event.request, { ignoreSearch: true }));
  event.respondWith(found.then((answer) => answer ?? fetch(event.request)));
});
