// Edges (784,) of pixels (784,): value 16 * cell + direction, for 7 by 7 cells. The gradient (x, y) of a pixel is split
// between the two directions that enclose it, and these parts between the four cells around it.
function described(pixels) {
  const unit = [16, 15, 11, 6, 0, -6, -11, -15, -16, -15, -11, -6, 0, 6, 11, 15]; // 16 * cosine
  const cross = (k, x, y) => unit[k & 15] * y - unit[k - 4 & 15] * x;
  const wide = SIDE + 2, level = new Uint8Array(wide * wide); // with paper around
  for (let i = 0; i < SIDE; i++) level.set(pixels.subarray(SIDE * i, SIDE * (i + 1)), wide * (i + 1) + 1);
  const three = (at, step) => level[at - step] + 2 * level[at] + level[at + step];
  const sums = new Int32Array(9 * 9 * 16); // a cell more on each side, which nobody reads
  for (let row = 2; row < SIDE - 2; row++) // no cell sees the others
    for (let column = 2; column < SIDE - 2; column++) {
      const at = wide * (row + 1) + column + 1;
      const x = three(at + 1, wide) - three(at - 1, wide) + 2 >> 2;
      const y = three(at + wide, 1) - three(at - wide, 1) + 2 >> 2;
      if (!x && !y) continue;
      const above = (row - 2) / 3 | 0, left = (column - 2) / 3 | 0, cell = 9 * above + left;
      const lower = 2 * (row - 2 - 3 * above) + 1, right = 2 * (column - 2 - 3 * left) + 1; // shares of 6
      const add = (k, part) => {
        const to = 16 * cell + (k & 15);
        sums[to] += part * (6 - lower) * (6 - right);
        sums[to + 16] += part * (6 - lower) * right;
        sums[to + 16 * 9] += part * lower * (6 - right);
        sums[to + 16 * 10] += part * lower * right;
      };
      let k = y > 0 || (!y && x > 0) ? 0 : 8; // to be the direction before the gradient's own: all others get nothing
      while (cross(k + 1, x, y) >= 0) k++;
      add(k, Math.min(cross(k - 1, x, y), -cross(k + 1, x, y)));
      add(k + 1, Math.min(cross(k, x, y), -cross(k + 2, x, y)));
    }
  const values = new Uint8Array(PIXELS);
  for (let i = 0; i < PIXELS; i++) {
    const cell = i >> 4, sum = sums[16 * (9 * (cell / 7 | 0) + cell % 7 + 10) + (i & 15)];
    const root = Math.floor(Math.sqrt((sum >> 1) + 0.5)); // + 0.5: also if the root is a little off
    if (root >= 8) values[i] = Math.min(root, 255);
  }
  return values;
}
