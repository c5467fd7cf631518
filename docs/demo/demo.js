// The page: what was drawn or shown goes to the nets, and what they say into the bars.
import { NetView } from "./bars.js";
import { centered, inkOfPicture, inkOfStrokes } from "./digit.js";
import { EXAMPLES } from "./examples.js";
import { Nets } from "./nets.js";
import { Pad } from "./pad.js";
import { decode, photoPixels, show } from "./photo.js";
import { problem, whyNot } from "./say.js";

const element = (id) => document.getElementById(id);

async function start() {
  const reason = whyNot();
  if (reason) return stop(reason);
  const answer = await fetch("files/files.json").catch(() => null);
  if (!answer) return stop("The demo's list of networks, files.json, could not be loaded: no connection.");
  if (!answer.ok) {
    return stop(
      "This copy of the site was built without the networks, so the demo cannot run. " +
        "tools/build_demo.py puts them in; they need onnxruntime-web.",
    );
  }
  const { nets } = await answer.json();
  problem("");
  startDigits(nets.filter((net) => net.data === "mnist"));
  startPhotos(nets.filter((net) => net.data !== "mnist"));
  document.body.dataset.state = "ready";
  // not offered without https, or refused in a private window: the demo then works online only
  await navigator.serviceWorker?.register("offline.js").catch(() => null);
}

function stop(reason) {
  problem(reason);
  document.body.dataset.state = "problem";
}

function startDigits([net]) {
  const nets = new Nets();
  const panel = element("digit");
  // MNIST calls its classes "7 - seven"
  const view = new NetView(panel.querySelector(".nets"), net, net.classes.map((name) => name[0]), { all: true });
  let waiting = null; // the newest drawing that no net has seen
  let running = false;

  async function see(pixels) {
    show(element("digit-seen"), pixels, 1);
    waiting = pixels;
    panel.dataset.state = "working";
    if (running) return;
    running = true;
    while (waiting) {
      const input = waiting;
      waiting = null;
      await view.fill(nets.ask(net, input));
    }
    running = false;
    if (pad.isEmpty && !picture) view.clear();
    panel.dataset.state = view.state;
  }

  let picture = false;
  const pad = new Pad(element("pad"), () => {
    picture = false;
    if (!pad.isEmpty) return see(centered(inkOfStrokes(pad.strokes)));
    waiting = null;
    show(element("digit-seen"), new Uint8Array(28 * 28), 1);
    view.clear();
    panel.dataset.state = "empty";
  });
  view.state = "loading";
  nets.load(net).then(
    () => view.state === "loading" && view.clear(),
    (error) => view.fail(error),
  );

  async function open(file) {
    panel.dataset.state = "working";
    const image = await decode(file);
    if (!image) return (panel.dataset.state = "error");
    pad.clear();
    pad.show(image);
    picture = true;
    await see(image.width === 28 && image.height === 28 ? inkOfPicture(image).ink : centered(inkOfPicture(image)));
  }
  element("clear").addEventListener("click", () => pad.clear());
  for (const [digit, strokes] of EXAMPLES.entries()) {
    const button = document.createElement("button");
    button.textContent = digit;
    button.setAttribute("aria-label", `Draw an example of ${digit}`);
    button.addEventListener("click", () => pad.draw(strokes));
    panel.querySelector(".examples").append(button);
  }
  accept(panel, element("digit-file"), open);
}

function startPhotos(infos) {
  const nets = new Nets(); // a worker of their own: a digit does not wait for a photo
  const panel = element("photo");
  const views = infos.map((net) => new NetView(panel.querySelector(".nets"), net, net.classes, { all: false }));
  const sides = [...new Set(infos.map((net) => net.input[0]))];
  let last = 0;

  async function open(file) {
    const job = ++last;
    panel.dataset.state = "working";
    const image = await decode(file);
    if (job !== last) return;
    if (!image) return (panel.dataset.state = "error");
    const pixels = new Map(sides.map((side) => [side, photoPixels(image, side)]));
    const shown = element("photo-shown");
    URL.revokeObjectURL(shown.src);
    shown.src = URL.createObjectURL(file);
    shown.hidden = false;
    for (const side of sides) show(element(`photo-seen-${side}`), pixels.get(side), 3);
    for (const view of views) view.clear();
    for (const [index, view] of views.entries()) {
      await view.fill(nets.ask(infos[index], pixels.get(infos[index].input[0])), () => job === last);
      if (job !== last) return; // another photo was shown
    }
    panel.dataset.state = views.some((view) => view.state === "error") ? "error" : "done";
  }
  accept(panel, element("photo-file"), open);
}

/** Files of a panel: chosen, dropped on it, or pasted. The photos' panel takes what is pasted outside of both. */
function accept(panel, input, open) {
  const first = (files) => [...(files ?? [])].find((file) => file.type.startsWith("image/"));
  const take = (files) => {
    const file = first(files);
    if (file) open(file);
    else problem("That is not an image.");
  };
  input.addEventListener("change", () => {
    if (input.files.length) open(input.files[0]);
    input.value = "";
  });
  panel.addEventListener("dragover", () => panel.classList.add("over"));
  for (const name of ["dragleave", "drop"]) panel.addEventListener(name, () => panel.classList.remove("over"));
  panel.addEventListener("drop", (event) => take(event.dataTransfer.files));
  document.addEventListener("paste", (event) => {
    const digit = Boolean(document.activeElement?.closest("#digit"));
    if (digit === (panel.id === "digit")) take(event.clipboardData.files);
  });
}

for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
start().catch((error) => stop(`The demo cannot start: ${error.message}`));
