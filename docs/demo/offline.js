// The service worker: keeps the demo's files, and answers with them when there is no connection.

const KEPT = "tinynets-demo";
const SOURCES = [
  "./", "index.html", "demo.css", "demo.js", "bars.js", "digit.js", "examples.js", "nets.js", "pad.js", "photo.js", "say.js",
  "scale.js", "worker.js", "files/files.json",
];

addEventListener("install", (event) => event.waitUntil(keep()));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(newest(event.request));
});

async function keep() {
  const cache = await caches.open(KEPT);
  const { files } = await (await fetch("files/files.json")).json();
  await cache.addAll([...SOURCES, ...files.map((file) => `files/${file}`)]);
  await skipWaiting();
}

async function newest(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok) await (await caches.open(KEPT)).put(request, answer.clone());
    return answer;
  } catch (error) {
    const kept = await caches.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}
