// A way to write each digit: strokes in 0..100.

/** Points of a part of an ellipse; degrees go clockwise from the right. */
function arc(x, y, across, down, from, to) {
  return Array.from({ length: 25 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / 24) * Math.PI) / 180;
    return [x + across * Math.cos(angle), y + down * Math.sin(angle)];
  });
}

export const EXAMPLES = [
  [arc(50, 50, 25, 37, -90, 270)],
  [[[57, 13], [45, 87]]],
  [[...arc(49, 34, 23, 21, -170, 40), [26, 85], [76, 85]]],
  [[...arc(47, 31, 22, 18, -150, 90), ...arc(47, 68, 24, 19, -90, 150)]],
  [[[30, 14], [25, 53], [76, 53]], [[65, 16], [61, 88]]],
  [[[74, 14], [36, 14], [32, 46], ...arc(48, 65, 24, 22, -130, 150)]],
  [[[64, 12], [43, 34], [31, 57], ...arc(50, 68, 21, 19, 180, 540)]],
  [[[24, 17], [76, 17], [45, 87]]],
  [[...arc(50, 31, 18, 18, 90, 450), ...arc(50, 69, 22, 20, -90, 270)]],
  [[...arc(49, 34, 21, 20, 0, -360), [68, 60], [62, 88]]],
];
