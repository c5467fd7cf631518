// The drawing area: mouse, finger, pen and keyboard make strokes, lists of points in 0..100.
import { trace } from "./digit.js";

const UNITS = 100;
const PEN = 9;
const STEP = 4; // of an arrow key

export class Pad {
  strokes = [];
  #canvas;
  #changed;
  #image = null;
  #cursor = null; // the keyboard's pen; null while the keyboard does not draw
  #down = false;
  #told = false;

  /** changed: called once a frame in which the strokes have changed. */
  constructor(canvas, changed) {
    this.#canvas = canvas;
    this.#changed = changed;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#lift());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
    new ResizeObserver(() => this.#paint()).observe(canvas);
  }

  get isEmpty() {
    return this.strokes.length === 0;
  }

  clear() {
    this.draw([]);
  }

  draw(strokes) {
    this.strokes = strokes.map((stroke) => [...stroke]);
    this.#image = null;
    this.#down = false;
    this.#update();
  }

  /** A picture in place of strokes. */
  show(image) {
    this.#image = image;
    this.#told = false; // what clear() has just announced is no news any more
    this.#paint();
  }

  #begin(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#cursor = this.#image = null;
    this.#down = false;
    this.strokes.push([this.#place(event)]);
    this.#update();
  }

  #move(event) {
    if (!this.#canvas.hasPointerCapture(event.pointerId) || this.isEmpty) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const part of events.length ? events : [event]) this.strokes.at(-1).push(this.#place(part));
    this.#update();
  }

  #place(event) {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    return [((event.clientX - left) / width) * UNITS, ((event.clientY - top) / height) * UNITS];
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) {
      const from = this.#cursor ?? [UNITS / 2, UNITS / 2];
      this.#cursor = from.map((value, axis) => Math.min(Math.max(value + STEP * way[axis], PEN / 2), UNITS - PEN / 2));
      if (this.#down) this.strokes.at(-1).push(this.#cursor);
    } else if (event.key === " ") {
      this.#cursor ??= [UNITS / 2, UNITS / 2];
      this.#down = !this.#down;
      this.#image = null;
      if (this.#down) this.strokes.push([this.#cursor]);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
    if (this.#down) this.#update();
    else this.#paint();
  }

  #lift() {
    this.#cursor = null;
    this.#down = false;
    this.#paint();
  }

  #update() {
    this.#paint();
    if (this.#told) return;
    this.#told = true;
    requestAnimationFrame(() => {
      if (!this.#told) return;
      this.#told = false;
      this.#changed();
    });
  }

  #paint() {
    const canvas = this.#canvas;
    const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    context.strokeStyle = style.color;
    if (this.#image) {
      const scale = side / Math.max(this.#image.width, this.#image.height);
      const [width, height] = [this.#image.width * scale, this.#image.height * scale];
      context.imageSmoothingEnabled = scale < 1;
      context.drawImage(this.#image, (side - width) / 2, (side - height) / 2, width, height);
    }
    trace(context, this.strokes, side / UNITS, PEN);
    if (this.isEmpty && !this.#image && !this.#cursor) {
      context.fillStyle = style.getPropertyValue("--soft");
      context.font = `${0.06 * side}px ${style.fontFamily}`;
      context.textAlign = "center";
      context.fillText("draw here", side / 2, side / 2);
    }
    if (!this.#cursor) return;
    const [x, y] = this.#cursor.map((value) => (value * side) / UNITS);
    context.beginPath();
    context.arc(x, y, (PEN / 2 + (this.#down ? 0 : 1.5)) * (side / UNITS), 0, 2 * Math.PI);
    context.lineWidth = (1.5 * side) / UNITS;
    context.strokeStyle = style.getPropertyValue("--accent");
    context.stroke();
  }
}
