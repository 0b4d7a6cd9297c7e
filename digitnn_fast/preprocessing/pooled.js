// The middle 24 by 24 of pixels (784,) as 16 by 16, in the middle: three become two, along both axes.
function pooled(pixels) {
  const small = new Uint8Array(PIXELS), first = (k) => 2 + 3 * (k >> 1) + (k & 1);
  for (let row = 0; row < 16; row++)
    for (let column = 0; column < 16; column++) {
      const at = SIDE * first(row) + first(column), lower = 1 + (row & 1), right = 1 + (column & 1); // thirds
      const two = (left) => (3 - right) * pixels[left] + right * pixels[left + 1];
      small[SIDE * (row + 6) + column + 6] = Math.floor(((3 - lower) * two(at) + lower * two(at + SIDE) + 4) / 9);
    }
  return small;
}
