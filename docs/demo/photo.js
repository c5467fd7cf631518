// Photos to what the nets take: the centered square, of each net's size.
import { resized } from "./scale.js";
import { problem } from "./say.js";

const LARGEST = 1 << 24; // pixels; what is larger is reduced by the browser first

/** The image of a file, upright, or null after the reader has been told. */
export async function decode(file) {
  try {
    const image = await createImageBitmap(file);
    problem("");
    return image;
  } catch {
    problem("Your browser cannot read this file as an image.");
    return null;
  }
}

/** RGBA of the part (left, top, width, height) of an image on white, drawn as toWidth x toHeight. */
export function rgba(image, left, top, width, height, toWidth, toHeight) {
  const canvas = document.createElement("canvas");
  canvas.width = toWidth;
  canvas.height = toHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, toWidth, toHeight);
  context.imageSmoothingQuality = "high";
  context.drawImage(image, left, top, width, height, 0, 0, toWidth, toHeight);
  return context.getImageData(0, 0, toWidth, toHeight).data;
}

/** uint8 (side, side, 3): the short side is resized, then the center is cropped, as timm's transform does. */
export function photoPixels(image, side) {
  const scale = Math.min(1, Math.sqrt(LARGEST / (image.width * image.height)));
  const [width, height] = [image.width, image.height].map((length) => Math.max(1, Math.round(length * scale)));
  const short = Math.min(width, height);
  const [wide, tall] = [width, height].map((length) => Math.floor((side * length) / short));
  const data = rgba(image, 0, 0, image.width, image.height, width, height);
  const small = resized(data, width, height, 4, wide, tall, Math.round);
  const [left, top] = [wide, tall].map((length) => halfEven((length - side) / 2));
  return Uint8Array.from({ length: side * side * 3 }, (_, i) => {
    const [place, c] = [Math.floor(i / 3), i % 3];
    return small[4 * ((top + Math.floor(place / side)) * wide + left + (place % side)) + c];
  });
}

/** The nearest integer, the even one of two: Python's round. */
function halfEven(value) {
  return value % 1 === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
}

/** Show pixels (H, W, channels) on a canvas of their size. */
export function show(canvas, pixels, channels) {
  const data = new ImageData(canvas.width, canvas.height);
  for (let i = 0; i < data.data.length; i++) {
    const [place, c] = [Math.floor(i / 4), i % 4];
    data.data[i] = c === 3 ? 255 : pixels[place * channels + (channels === 3 ? c : 0)];
  }
  canvas.getContext("2d").putImageData(data, 0, 0);
}
