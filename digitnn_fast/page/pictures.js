// A picture file -> its colours, as images/read.py has them, and the digits that `image` reads in it.

const WORK = 512, LARGEST_CANVAS = 16e6, MOST_PIXELS = 120e6;
const GROUPS = { overlap: 0.4, tall: 0.7, lowest: 0.3 }; // as in images/__init__.py

// Colours {width, height, data: RGBA} of a file, upright and at most WORK pixels long; throws if it can't be read.
async function coloursOf(file) {
  const bitmap = await createImageBitmap(file), { width, height } = bitmap;
  if (width * height > MOST_PIXELS) throw new RangeError("too many pixels");
  const share = Math.min(1, Math.sqrt(LARGEST_CANVAS / (width * height))), canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(width * share));
  canvas.height = Math.max(1, Math.floor(height * share));
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return onPaper(reduced(pen.getImageData(0, 0, canvas.width, canvas.height)));
}

// Means over squares, so that the longer side is at most WORK, rounded as Pillow's `reduce` does.
function reduced({ width, height, data }) {
  const factor = Math.ceil(Math.max(width, height) / WORK);
  if (factor === 1) return { width, height, data };
  const [columns, rows] = [width, height].map((side) => Math.ceil(side / factor));
  const result = new Uint8ClampedArray(4 * columns * rows);
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++) {
      const right = Math.min((x + 1) * factor, width), bottom = Math.min((y + 1) * factor, height), sums = [0, 0, 0, 0];
      for (let v = y * factor; v < bottom; v++)
        for (let u = x * factor; u < right; u++)
          for (let channel = 0; channel < 4; channel++) sums[channel] += data[4 * (v * width + u) + channel];
      const count = (right - x * factor) * (bottom - y * factor), unit = Math.floor(2 ** 24 / count);
      sums.forEach((sum, channel) => {
        result[4 * (y * columns + x) + channel] = Math.floor((sum + (count >> 1)) * unit / 2 ** 24);
      });
    }
  return { width: columns, height: rows, data: result };
}

// Transparent pixels become paper: white, or black if the ink is light.
function onPaper({ width, height, data }) {
  let opacity = 0, light = 0;
  for (let i = 0; i < data.length; i += 4) {
    opacity += data[i + 3];
    light += (data[i] + data[i + 1] + data[i + 2]) * data[i + 3];
  }
  const pixels = width * height;
  if (opacity === 255 * pixels) return { width, height, data };
  const paper = light > 3 * 127 * opacity && opacity < 127 * pixels ? 0 : 255;
  const opaque = data.map((level, i) => {
    const own = data[i | 3];
    return i % 4 === 3 ? 255 : Math.floor((level * own + paper * (255 - own) + 127) / 255);
  });
  return { width, height, data: opaque };
}

// Groups of parts from left to right, those together that lie above each other by a share of their width.
function columnsOf(parts) {
  const groups = [];
  for (const part of [...parts].sort((a, b) => a.left - b.left)) {
    const group = groups.at(-1), box = group && around(group);
    const narrower = group && Math.min(box.right - box.left, part.right - part.left);
    if (group && Math.min(box.right, part.right) - part.left >= GROUPS.overlap * narrower) group.push(part);
    else groups.push([part]);
  }
  return groups;
}

// The digits in colours: {box, pixels} of each, from left to right; of only one what `preprocess` makes. None if it is blank.
function digitsIn(colours) {
  const found = findWritten(colours);
  if (!found) return [];
  const groups = columnsOf(choose(found.written, Infinity)), height = (group) => around(group).bottom - around(group).top;
  const tallest = Math.max(...groups.map(height));
  const several = groups.filter((group) => height(group) >= GROUPS.tall * tallest).length > 1;
  const kept = several ? groups.filter((group) => height(group) >= GROUPS.lowest * tallest) : [choose(found.written)];
  return kept.map((group) => ({ box: around(group), pixels: cutOut(found, group, found.fills && kept.length === 1) }));
}
