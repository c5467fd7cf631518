// One net's answer: a bar a class, the time it took, and the size of its file.

const DATA = { mnist: "MNIST", cifar10: "CIFAR-10", cifar100: "CIFAR-100", tiny_imagenet: "Tiny-ImageNet" };
const TOP = 5;

export class NetView {
  #box;
  #net;
  #labels;
  #all;
  #head;
  #note;
  #list;
  #spoken;
  #timer = 0;

  /** all: every class in its order, else the most probable ones. */
  constructor(parent, net, labels, { all }) {
    this.#net = net;
    this.#labels = labels.map((label) => label.replaceAll("_", " "));
    this.#all = all;
    this.#box = document.createElement("article");
    this.#box.dataset.net = net.name;
    this.#box.innerHTML = `<h3></h3><p class="note"></p><ol class="bars"></ol><p class="hidden" role="status"></p>`;
    [this.#head, this.#note, this.#list, this.#spoken] = this.#box.children;
    this.#head.textContent = net.name;
    this.#list.setAttribute("aria-label", `Probabilities of ${net.name}`);
    parent.append(this.#box);
    this.clear();
  }

  get state() {
    return this.#box.dataset.state;
  }

  set state(name) {
    this.#box.dataset.state = name;
    const words = { working: "working …", loading: "loading …", empty: "" }[name];
    if (words !== undefined) this.#notes(words);
  }

  clear() {
    delete this.#box.dataset.class;
    this.state = "empty";
    this.#bars(new Array(this.#labels.length).fill(0));
  }

  fail(error) {
    this.state = "error";
    this.#note.textContent = error.message;
    this.#say(error.message);
  }

  /** Wait for an answer and show it, unless it is out of date by then. */
  async fill(promise, wanted = () => true) {
    this.state = "working";
    try {
      const { probabilities, ms } = await promise;
      if (!wanted()) return;
      this.#bars(probabilities);
      const best = probabilities.indexOf(Math.max(...probabilities));
      this.#box.dataset.class = best;
      this.state = "done";
      this.#notes(`${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`);
      this.#say(`${this.#labels[best]}, ${percent(probabilities[best])}`);
    } catch (error) {
      if (wanted()) this.fail(error);
    }
  }

  /** For screen readers, once the answers stand still. */
  #say(words) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#spoken.textContent = `${this.#net.name}: ${words}`), 500);
  }

  #notes(words) {
    const size = `${Math.round(this.#net.bytes / 1000).toLocaleString("en")} kB`;
    this.#note.textContent = [DATA[this.#net.data], size, words].filter(Boolean).join(" · ");
  }

  #bars(probabilities) {
    let order = [...probabilities.keys()];
    const top = order.reduce((a, b) => (probabilities[b] > probabilities[a] ? b : a));
    if (!this.#all) order = order.sort((a, b) => probabilities[b] - probabilities[a]).slice(0, TOP);
    const known = Math.max(...probabilities) > 0;
    while (this.#list.children.length < order.length) {
      const row = document.createElement("li");
      row.innerHTML = `<span class="label"></span><span class="track"><span></span></span><span class="value"></span>`;
      this.#list.append(row);
    }
    for (const [index, which] of order.entries()) {
      const row = this.#list.children[index];
      const [label, track, value] = row.children;
      label.textContent = known || this.#all ? this.#labels[which] : "";
      track.firstChild.style.width = `${100 * probabilities[which]}%`;
      value.textContent = known ? percent(probabilities[which]) : "";
      row.classList.toggle("top", known && which === top);
    }
  }
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
