// TypeError or RangeError for what are no grey levels of whole images; a warning for what hardly are.
function check(images) {
  const colours = images?.data ?? images;
  if (colours instanceof Uint8ClampedArray && colours.length !== PIXELS)
    throw new TypeError("these are a canvas's colours, not grey levels; give what preprocess(imageData) makes of them");
  if (!(images instanceof Uint8Array || images instanceof Uint8ClampedArray))
    throw new TypeError("images must be a Uint8Array of grey levels, 0 (paper) to 255 (ink)");
  if (images.length % PIXELS) throw new RangeError(`images must be 784 bytes each, but ${images.length} were given`);
  if (images.includes(1) && images.every((level) => level <= 1))
    throw new RangeError("no level is above 1, but grey levels are 0 (paper) to 255 (ink); multiply by 255");
  const first = images.subarray(0, PIXELS), corners = [0, 116]; // as levels.py, but of one image; 116 is behind a frame
  if (corners.some((place) => first[place] >= 128) && first.filter((level) => level >= 128).length > 0.6 * PIXELS)
    console.warn("most pixels are ink; 0 must be paper and 255 ink, so invert them: 255 - level");
  if (images.some((level) => level > 0) && images.every((level) => level < 16))
    console.warn(`no level is above ${images.reduce((a, b) => Math.max(a, b))}; 255 is ink, so multiply them`);
}
