// Resizing with a triangle filter as wide as an output pixel: bilinear and antialiased, as tinynets' own reading is.

/** (width x height x channels) values -> (toWidth x toHeight x channels) floats. Pillow rounds after each direction. */
export function resized(values, width, height, channels, toWidth, toHeight, round = (value) => value) {
  const across = weights(width, toWidth);
  const down = weights(height, toHeight);
  const narrow = new Float32Array(height * toWidth * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < toWidth; x++) {
      const { first, share } = across[x];
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let i = 0; i < share.length; i++) sum += share[i] * values[(y * width + first + i) * channels + c];
        narrow[(y * toWidth + x) * channels + c] = round(sum);
      }
    }
  }
  const row = toWidth * channels;
  const result = new Float32Array(toHeight * row);
  for (let y = 0; y < toHeight; y++) {
    const { first, share } = down[y];
    for (let x = 0; x < row; x++) {
      let sum = 0;
      for (let i = 0; i < share.length; i++) sum += share[i] * narrow[(first + i) * row + x];
      result[y * row + x] = round(sum);
    }
  }
  return result;
}

/** For every output place the input places that it is a mean of, and their shares. */
function weights(from, to) {
  const scale = from / to;
  const reach = Math.max(scale, 1);
  return Array.from({ length: to }, (_, place) => {
    const center = (place + 0.5) * scale;
    const first = Math.max(0, Math.floor(center - reach + 0.5));
    const end = Math.min(from, Math.floor(center + reach + 0.5));
    const share = [];
    for (let i = first; i < end; i++) share.push(Math.max(0, 1 - Math.abs(i + 0.5 - center) / reach));
    const sum = share.reduce((a, b) => a + b);
    return { first, share: share.map((value) => value / sum) };
  });
}
