// What the page tells its reader.

const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];

/** Why the nets cannot run in this browser; "" if they can. */
export function whyNot() {
  if (typeof WebAssembly !== "object") {
    return "Your browser does not offer WebAssembly, which the networks run on. It may be switched off in its settings, or by a lockdown mode.";
  }
  if (!WebAssembly.validate(new Uint8Array(SIMD))) {
    return "Your browser's WebAssembly has no SIMD instructions, which the networks need. Every browser has had them since 2023.";
  }
  if (typeof Worker !== "function") return "Your browser does not offer web workers, which the networks run in.";
  return "";
}

/** Show what keeps the demo from working; "" hides the message. */
export function problem(text) {
  const box = document.getElementById("problem");
  box.textContent = text;
  box.hidden = !text;
}
