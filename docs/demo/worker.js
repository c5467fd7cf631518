// Runs the nets in onnxruntime-web, one after the other.

const FILES = new URL("files/", import.meta.url);
const sessions = new Map();
let runtime = null;
let queue = Promise.resolve();

onmessage = ({ data }) => {
  queue = queue.then(() => answer(data));
};

async function answer({ id, net, pixels }) {
  try {
    const session = await sessionOf(net);
    if (pixels) postMessage({ id, ...(await run(session, net, pixels)) });
    else postMessage({ id });
  } catch (error) {
    postMessage({ id, error: error.message || String(error) });
  }
}

async function sessionOf(net) {
  if (!sessions.has(net.file)) {
    const { InferenceSession } = await startRuntime();
    const session = await InferenceSession.create(await download(net.file));
    await run(session, net, new Uint8Array(net.input.reduce((a, b) => a * b)));
    sessions.set(net.file, session);
  }
  return sessions.get(net.file);
}

async function startRuntime() {
  if (runtime) return runtime;
  const binary = await download("ort-wasm-simd-threaded.wasm");
  const ort = await import(new URL("ort.wasm.min.mjs", FILES)).catch(() => {
    throw new Error("ort.wasm.min.mjs could not be loaded.");
  });
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = FILES.href;
  ort.env.wasm.wasmBinary = binary;
  return (runtime = ort);
}

async function download(file) {
  const answer = await fetch(new URL(file, FILES)).catch(() => null);
  if (!answer) throw new Error(`${file} could not be loaded: no connection.`);
  if (!answer.ok) throw new Error(`${file} could not be loaded: the server says ${answer.status}.`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function run(session, net, pixels) {
  const image = new runtime.Tensor("uint8", pixels, [1, ...net.input]);
  const started = performance.now();
  const { logits } = await session.run({ [session.inputNames[0]]: image });
  const ms = performance.now() - started;
  const largest = Math.max(...logits.data);
  const powers = Array.from(logits.data, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return { probabilities: powers.map((power) => power / sum), ms };
}
