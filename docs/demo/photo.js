// Photos to what the nets take: the centred square, 32 x 32 pixels.
import { resized } from "./scale.js";
import { problem } from "./say.js";

const SIDE = 32;
const LARGEST = 16 * SIDE; // what is larger is reduced by the browser first

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

/** uint8 (32, 32, 3). */
export function photoPixels(image) {
  const crop = Math.min(image.width, image.height);
  const side = Math.min(crop, LARGEST);
  const left = Math.floor((image.width - crop) / 2);
  const top = Math.floor((image.height - crop) / 2);
  const small = resized(rgba(image, left, top, crop, crop, side, side), side, side, 4, SIDE, SIDE);
  return Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => Math.round(small[4 * Math.floor(i / 3) + (i % 3)]));
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
