// Starts the page. A file of its own, because the page's policy allows no inline script.
const { js, wasm } = document.getElementById("boot").dataset;
try {
  const { default: start } = await import(new URL(js, document.baseURI));
  await start({ module_or_path: new URL(wasm, document.baseURI) });
} catch (error) {
  const words = document.getElementById("starting");
  if (words) {
    words.classList.add("late");
    words.textContent = `Porthole could not start: a file is missing, or this browser lacks WebAssembly SIMD. ${error}`;
  }
  await forget();
  throw error;
}
keepOffline().catch((error) => console.warn("the page is not kept for a visit without a network:", error));

// Keeps the page for a visit without a network, where a static host serves it over HTTPS. A relay and a server on this machine are not
// always there, and another program may be at their address tomorrow: what was kept for them is removed.
async function keepOffline() {
  if (!navigator.serviceWorker) return;
  const here = /^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname);
  if (here || location.protocol !== "https:") return forget();
  let relay;
  try {
    const answer = await fetch(new URL("relay.json", document.baseURI), { cache: "no-store" });
    relay = answer.ok && (answer.headers.get("content-type") ?? "").includes("json");
  } catch {
    return; // Without a network nothing is known.
  }
  if (relay) return forget();
  // The worker that answered for this page may be of another version, whose programs do not fit it.
  const worker = navigator.serviceWorker.controller;
  if (worker && !(await filesOf(worker)).includes(new URL(js, document.baseURI).pathname.split("/").pop())) {
    await forget();
    return location.reload();
  }
  const registration = await navigator.serviceWorker.register(new URL("offline.js", document.baseURI), { updateViaCache: "none" });
  if (registration.waiting && worker) offer(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const next = registration.installing;
    next?.addEventListener("statechange", () => next.state === "installed" && worker && offer(next));
  });
}

// Names of the files that a worker keeps; none if it does not say.
function filesOf(worker) {
  return new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (event) => done(event.data);
    setTimeout(done, 2000, []);
    worker.postMessage("version", [port2]);
  });
}

async function forget() {
  for (const registration of (await navigator.serviceWorker?.getRegistrations()) ?? []) {
    if (registration.scope === new URL("./", document.baseURI).href) await registration.unregister();
  }
  for (const name of (await self.caches?.keys()) ?? []) if (name.startsWith("porthole-")) await caches.delete(name);
}

// Another version of the page is kept, and waits for this one to end.
function offer(next) {
  const button = document.createElement("button");
  button.id = "update";
  button.textContent = "Reload";
  button.onclick = () => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload());
    next.postMessage("take over");
  };
  const words = document.createElement("p");
  words.className = "update";
  words.setAttribute("role", "status");
  words.append("A newer version of this page is here. ", button);
  document.body.append(words);
}
