// The service worker: keeps the files of the page, so that it starts without a network. `cargo xtask` writes two lines before this one
// into `dist/offline.js`: VERSION, and FILES with the SHA-256 of each file. All files of a version are kept, or none.
const base = new URL("./", location);
const cacheName = `porthole-${VERSION}`;

const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

async function keep(cache, path) {
  // Some hosts answer for the name of the document with a redirect, which a navigation may not get from here.
  const answer = await fetch(new URL(path === "index.html" ? "./" : path, base), { cache: "no-cache" });
  const bytes = await answer.clone().arrayBuffer();
  if (!answer.ok || hex(await crypto.subtle.digest("SHA-256", bytes)) !== FILES[path]) {
    throw new Error(`${path} is not the file of this version`);
  }
  await cache.put(new URL(path, base), answer);
}

async function install() {
  const cache = await caches.open(cacheName);
  try {
    await Promise.all(Object.keys(FILES).map((path) => keep(cache, path)));
  } catch (error) {
    await caches.delete(cacheName);
    throw error;
  }
}

async function activate() {
  const others = (await caches.keys()).filter((name) => name.startsWith("porthole-") && name !== cacheName);
  await Promise.all(others.map((name) => caches.delete(name)));
  await clients.claim();
}

async function answer(request, path) {
  const kept = await caches.match(new URL(path, base), { cacheName });
  return kept ?? fetch(request);
}

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.search || !url.href.startsWith(base.href)) return;
  const path = url.pathname.slice(base.pathname.length) || "index.html";
  // What is not a file of the page, such as a registry behind the same name, is not touched.
  if (Object.hasOwn(FILES, path)) event.respondWith(answer(event.request, path));
});
addEventListener("message", (event) => {
  if (event.data === "version") event.ports[0].postMessage(Object.keys(FILES));
  if (event.data === "take over") skipWaiting();
});
