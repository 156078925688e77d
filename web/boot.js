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
  throw error;
}
