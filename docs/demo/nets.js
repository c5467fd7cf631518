// Nets in a worker of their own, so that drawing never waits for them. It runs one at a time.

export class Nets {
  #worker;
  #waiting = new Map();
  #next = 0;

  constructor() {
    this.#start();
  }

  /** Fetch a net and run it once, so that its first answer is as fast as the others. */
  load(net) {
    return this.#post({ net });
  }

  /** {probabilities, ms} of uint8 pixels (H, W, C). ms: of the run alone. */
  ask(net, pixels) {
    return this.#post({ net, pixels });
  }

  #start() {
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data: { id, error, ...answer } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(new Error(error));
      else resolve(answer);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      for (const { reject } of this.#waiting.values()) reject(new Error("worker.js could not be loaded."));
      this.#waiting.clear();
    };
  }

  #post(message) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...message });
    });
  }
}
