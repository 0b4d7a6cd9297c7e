// Numerator / denominator to the nearest integer, halves up, all in 32 bits; 0 where the denominator is 0.
function divide(numerator, denominator) {
  return denominator && Math.floor((2 * numerator + denominator) / (2 * denominator)) | 0;
}

// Pixels (784,) with the slant taken out and the centre of mass in the middle.
function deskewed(pixels) {
  let m00 = 0, m10 = 0, m01 = 0, m11 = 0, m02 = 0;
  for (let i = 0; i < PIXELS; i++) {
    const x = i % SIDE - 14, y = (i / SIDE | 0) - 14, level = pixels[i] >> 3;
    m00 += level; m10 += level * x; m01 += level * y; m11 += level * x * y; m02 += level * y * y;
  }
  const meanX = divide(256 * m10, m00), meanY = divide(256 * m01, m00);
  const nearX = meanX + 128 >> 8, nearY = meanY + 128 >> 8; // moments around this pixel do not depend on the place
  const restX = m10 - nearX * m00, restY = m01 - nearY * m00, low = meanY - 256 * nearY;
  const across = m11 - nearY * m10 - nearX * restY, down = m02 - nearY * (m01 + restY);
  const slant = Math.max(-256, Math.min(256, divide(256 * across - restX * low, 256 * down - restY * low >> 8)));
  const upright = new Uint8Array(PIXELS);
  for (let i = 0; i < PIXELS; i++) {
    const row = (i / SIDE | 0) + (meanY + 256 >> 8);
    if (row < 0 || row >= SIDE) continue;
    const slide = meanX + 128 + (slant * (256 * (row - 14) - meanY) + 128 >> 8), share = slide & 255;
    const at = (column) => (column >= 0 && column < SIDE ? pixels[row * SIDE + column] : 0);
    const column = (slide >> 8) + i % SIDE;
    upright[i] = at(column) * (256 - share) + at(column + 1) * share + 128 >> 8;
  }
  return upright;
}
