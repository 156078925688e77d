// Starts the page. A file of its own, because the page's policy allows no inline script.
const { js, wasm } = document.getElementById("boot").dataset;
const { default: start } = await import(new URL(js, document.baseURI));
await start({ module_or_path: new URL(wasm, document.baseURI) });
