// Pixels (784,) upside down.
function turned(pixels) {
  return Uint8Array.from({ length: PIXELS }, (_, i) => pixels[SIDE * (SIDE - 1 - Math.floor(i / SIDE)) + i % SIDE]);
}
