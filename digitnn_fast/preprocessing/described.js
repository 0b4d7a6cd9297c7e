// Edges (784,) of pixels (784,): value turns * cell + direction, for rows by columns of cells. The gradient (x, y) of a pixel
// is split between the two directions that enclose it, and these parts between the four cells around it. Lengths are in
// half pixels.
function described(pixels) {
  const { rows, columns, turns, pitch, origin_y, origin_x, halvings, across } = DESCRIBED;
  const units = (turned) => Int32Array.from({ length: turns + 4 }, // of directions -1 to turns + 2
    (_, k) => Math.round(16 * Math.cos(2 * Math.PI * (k - 1 - turned) / turns)));
  const cosine = units(0), sine = units(turns / 4), cross = (k, x, y) => cosine[k + 1] * y - sine[k + 1] * x;
  const edge = SIDE + 2, level = new Uint8Array(edge * edge); // with paper around
  for (let i = 0; i < SIDE; i++) level.set(pixels.subarray(SIDE * i, SIDE * (i + 1)), edge * (i + 1) + 1);
  const three = (at, step) => level[at - step] + 2 * level[at] + level[at + step];
  const wide = (columns + 2) * turns, sums = new Int32Array((rows + 2) * wide); // a cell more on each side, which nobody reads
  for (let row = 0; row < SIDE; row++)
    for (let column = 0; column < SIDE; column++) {
      const down = 2 * row - origin_y, aside = 2 * column - origin_x, at = edge * (row + 1) + column + 1;
      if (down < 0 || down >= pitch * (rows + 1) || aside < 0 || aside >= pitch * (columns + 1)) continue;
      const x = three(at + 1, edge) - three(at - 1, edge) + 2 >> 2;
      const y = three(at + edge, 1) - three(at - edge, 1) + 2 >> 2;
      if (!x && !y) continue;
      const lower = down % pitch, right = aside % pitch, cell = wide * (down / pitch | 0) + turns * (aside / pitch | 0);
      const add = (k, part) => {
        const to = cell + (k < turns ? k : k - turns);
        sums[to] += part * (pitch - lower) * (pitch - right);
        sums[to + turns] += part * (pitch - lower) * right;
        sums[to + wide] += part * lower * (pitch - right);
        sums[to + wide + turns] += part * lower * right;
      };
      let k = y > 0 || (!y && x > 0) ? 0 : turns / 2; // to be the direction before the gradient's own: all others get nothing
      while (cross(k + 1, x, y) >= 0) k++;
      add(k, Math.min(cross(k - 1, x, y), -cross(k + 1, x, y)));
      add(k + 1, Math.min(cross(k, x, y), -cross(k + 2, x, y)));
    }
  const values = new Uint8Array(PIXELS);
  for (let i = 0; i < rows * columns * turns; i++) {
    const cell = i / turns | 0, sum = sums[wide * ((cell / columns | 0) + 1) + turns * (cell % columns + 1) + i % turns];
    const root = Math.floor(Math.sqrt((sum >> halvings) + 0.5)); // + 0.5: also if the root is a little off
    if (root >= 8) values[SIDE * (i / across | 0) + i % across] = Math.min(root, 255);
  }
  return values;
}
