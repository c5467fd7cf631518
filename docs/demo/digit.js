// Drawings to what MNIST's digits look like: in a box of 20 x 20, their center of mass in the middle of 28 x 28.
import { rgba } from "./photo.js";
import { resized } from "./scale.js";

const SIDE = 28;
const BOX = 20;
const PEN = 0.14; // width of the pen, as a share of the drawing's longer side
const RASTER = 160;

/** Ink of strokes, lists of points: {ink, width, height} with values in 0..255. */
export function inkOfStrokes(strokes) {
  const points = strokes.flat();
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const long = Math.max(Math.max(...xs) - left, Math.max(...ys) - top, 10);
  const pen = PEN * long;
  const scale = RASTER / (long + pen);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = RASTER;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  trace(context, strokes, scale, pen, pen / 2 - left, pen / 2 - top);
  const { data } = context.getImageData(0, 0, RASTER, RASTER);
  return { ink: Uint8Array.from({ length: RASTER * RASTER }, (_, i) => data[4 * i + 3]), width: RASTER, height: RASTER };
}

/** Draw strokes, moved and then enlarged. */
export function trace(context, strokes, scale, pen, right = 0, down = 0) {
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = pen * scale;
  for (const stroke of strokes) {
    context.beginPath();
    for (const [x, y] of stroke) context.lineTo((x + right) * scale, (y + down) * scale);
    if (stroke.length === 1) context.lineTo((stroke[0][0] + right) * scale, (stroke[0][1] + down) * scale);
    context.stroke();
  }
}

/** Ink of a picture: light on dark as MNIST is, whichever way the picture is. 28 x 28 pixels stay as they are. */
export function inkOfPicture(image) {
  const scale = Math.min(1, 256 / Math.max(image.width, image.height));
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
  const data = rgba(image, 0, 0, image.width, image.height, width, height);
  let ink = Uint8Array.from({ length: width * height }, (_, i) =>
    Math.round(0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]),
  );
  const edge = [];
  for (let x = 0; x < width; x++) edge.push(ink[x], ink[(height - 1) * width + x]);
  for (let y = 0; y < height; y++) edge.push(ink[y * width], ink[y * width + width - 1]);
  let paper = edge.sort((a, b) => a - b)[edge.length >> 1];
  if (paper > 127) {
    ink = ink.map((value) => 255 - value);
    paper = 255 - paper;
  }
  if (width !== SIDE || height !== SIDE) {
    // the paper and its shadows go
    const floor = paper + 0.3 * (ink.reduce((a, b) => Math.max(a, b)) - paper);
    ink = ink.map((value) => Math.max(0, value - floor));
  }
  return { ink, width, height };
}

/** uint8 (28, 28, 1). */
export function centered({ ink, width, height }) {
  const result = new Uint8Array(SIDE * SIDE);
  const box = boundingBox(ink, width, height);
  if (!box) return result;
  const scale = BOX / Math.max(box.width, box.height);
  const [w, h] = [box.width, box.height].map((side) => Math.max(1, Math.round(side * scale)));
  const cut = new Float32Array(box.width * box.height);
  for (let i = 0; i < cut.length; i++) {
    cut[i] = ink[(box.top + Math.floor(i / box.width)) * width + box.left + (i % box.width)];
  }
  const small = resized(cut, box.width, box.height, 1, w, h);
  const peak = small.reduce((a, b) => Math.max(a, b));
  let [sum, x, y] = [0, 0, 0];
  small.forEach((value, i) => {
    sum += value;
    x += value * ((i % w) + 0.5);
    y += value * (Math.floor(i / w) + 0.5);
  });
  const left = Math.min(Math.max(Math.round(SIDE / 2 - x / sum), 0), SIDE - w);
  const top = Math.min(Math.max(Math.round(SIDE / 2 - y / sum), 0), SIDE - h);
  small.forEach((value, i) => {
    result[(top + Math.floor(i / w)) * SIDE + left + (i % w)] = Math.round((255 * value) / peak);
  });
  return result;
}

function boundingBox(ink, width, height) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  ink.forEach((value, i) => {
    if (value < 32) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  });
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}
