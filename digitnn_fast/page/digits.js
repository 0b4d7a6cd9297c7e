// A picture's colours -> the 28x28 that MNIST would have made of it. What the network makes of that is in network.js.
// The same steps in the same order as images/ink.py, where the reasons stand, all in float64; parts.js goes on.
"use strict";

const CELLS = 64, WIDEST_STROKE = 1 / 3, FAINTEST = 0.06, NEAR = 10, SKEWNESS = 2, NOISE = 6, MOSTLY = 0.25, BINS = 256;
const WORK = 512, STEPS = 12, COARSE = 64;

// Grids: {height, width, values: Float64Array, row after row}.
const grid = (height, width, fill = 0) => ({ height, width, values: new Float64Array(height * width).fill(fill) });
const like = (source, value) => ({ ...source, values: source.values.map(value) }); // Float64Array.from is much slower
const longer = (g) => Math.max(g.height, g.width);
const sum = (values) => values.reduce((total, value) => total + value, 0);
const largest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
const clip = (value) => Math.min(1, Math.max(0, value));

function transposed({ height, width, values }) {
  const turned = new Float64Array(values.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) turned[x * height + y] = values[y * width + x];
  return { height: width, width: height, values: turned };
}

// The mean of the two middle values; Hoare's selection, for to sort 100,000 takes too long while somebody draws.
function median(values) {
  const own = new Float64Array(values);
  const nth = (place) => {
    for (let low = 0, high = own.length - 1; low < high;) {
      const pivot = own[(low + high) >> 1];
      let i = low, j = high;
      while (i <= j) {
        while (own[i] < pivot) i++;
        while (own[j] > pivot) j--;
        if (i > j) break;
        const kept = own[i];
        own[i++] = own[j];
        own[j--] = kept;
      }
      if (place <= j) high = j;
      else if (place >= i) low = i;
      else break;
    }
    return own[place];
  };
  return (nth((own.length - 1) >> 1) + nth(own.length >> 1)) / 2;
}

// Each line of values down the columns, and then down the rows, through a function (line, into, axis) that fills `into`
// with so many new ones. To return an array for each line would take a fifth longer.
function alongBoth(g, change, lengths = [g.height, g.width]) {
  let result = g;
  for (let axis = 0; axis < 2; axis++) {
    const { height, width, values } = transposed(result), length = lengths[axis];
    result = grid(height, length);
    for (let y = 0; y < height; y++)
      change(values.subarray(y * width, (y + 1) * width), result.values.subarray(y * length, (y + 1) * length), axis);
  }
  return result;
}

const blurred = (g, reach) => alongBoth(g, (line, into) => {
  const sums = new Float64Array(line.length + 1);
  for (let i = 0; i < line.length; i++) sums[i + 1] = sums[i] + line[i];
  for (let i = 0; i < line.length; i++) {
    const first = Math.max(i - reach, 0), last = Math.min(i + reach + 1, line.length);
    into[i] = (sums[last] - sums[first]) / (last - first);
  }
});

const highest = (g, reach) => alongBoth(g, (line, into) => {
  for (let i = 0; i < line.length; i++) {
    let most = -Infinity;
    for (let j = Math.max(i - reach, 0); j <= i + reach && j < line.length; j++) most = Math.max(most, line[j]);
    into[i] = most;
  }
});

const cellSide = (g) => Math.ceil(longer(g) / CELLS);

function cells(g) {
  const side = cellSide(g), result = grid(Math.ceil(g.height / side), Math.ceil(g.width / side));
  const counts = new Float64Array(result.values.length);
  for (let y = 0; y < g.height; y++)
    for (let x = 0; x < g.width; x++) {
      const cell = Math.floor(y / side) * result.width + Math.floor(x / side);
      result.values[cell] += g.values[y * g.width + x];
      counts[cell]++;
    }
  return like(result, (value, i) => value / counts[i]);
}

function spread(g, shape) {
  const side = cellSide(shape);
  if (side === 1) return g;
  return alongBoth(g, (line, into) => {
    for (let i = 0; i < into.length; i++) {
      const place = Math.min(Math.max((i + 0.5) / side - 0.5, 0), line.length - 1);
      const first = Math.min(Math.floor(place), Math.max(0, line.length - 2)), share = place - first;
      into[i] = line[first] * (1 - share) + line[Math.min(first + 1, line.length - 1)] * share;
    }
  }, [shape.height, shape.width]);
}

// Files, canvases: {width, height, data: RGBA}, as images/read.py

// Means over squares, so that the longer side is at most WORK, rounded as Pillow's `reduce` does: colours count as much
// as they cover.
function reduced({ width, height, data }) {
  const factor = Math.ceil(Math.max(width, height) / WORK);
  if (factor === 1) return { width, height, data };
  const [columns, rows] = [width, height].map((side) => Math.ceil(side / factor));
  const result = new Uint8ClampedArray(4 * columns * rows);
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++) {
      const right = Math.min((x + 1) * factor, width), bottom = Math.min((y + 1) * factor, height), sums = [0, 0, 0, 0];
      for (let v = y * factor; v < bottom; v++)
        for (let u = x * factor; u < right; u++) {
          const place = 4 * (v * width + u), own = data[place + 3];
          for (let channel = 0; channel < 3; channel++) {
            const product = data[place + channel] * own + 128;
            sums[channel] += ((product >> 8) + product) >> 8;
          }
          sums[3] += own;
        }
      const count = (right - x * factor) * (bottom - y * factor), unit = Math.floor(2 ** 24 / count);
      const means = sums.map((sum) => Math.floor((sum + (count >> 1)) * unit / 2 ** 24));
      means.forEach((mean, channel) => {
        result[4 * (y * columns + x) + channel] = channel < 3 && means[3] ? Math.floor(255 * mean / means[3]) : mean;
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

// Before it was enlarged by repeating pixels.
function unrepeated(picture) {
  const { width, height, data } = picture, steps = [];
  const changes = (count, at, back) => {
    for (let i = 0; i < count; i++) {
      const here = 4 * at(i), before = here - 4 * back;
      for (let channel = 0; channel < 3; channel++) if (data[here + channel] !== data[before + channel]) return true;
    }
    return false;
  };
  for (let y = 1; y < height; y++) if (changes(width, (x) => y * width + x, width)) steps.push(y);
  for (let x = 1; x < width; x++) if (changes(height, (y) => y * width + x, 1)) steps.push(x);
  const divisor = (a, b) => (b ? divisor(b, a % b) : a), times = steps.reduce(divisor, divisor(width, height));
  if (steps.length < STEPS || times === 1) return picture;
  const small = { width: width / times, height: height / times }, pixels = small.width * small.height;
  const from = (place) => times * (Math.floor(place / small.width) * width + place % small.width);
  return { ...small, data: Uint8ClampedArray.from({ length: 4 * pixels }, (_, i) => data[4 * from(i >> 2) + i % 4]) };
}

// Ink

function isDarkOnLight({ width: columns, height: lines, data }) {
  const colours = grid(lines, columns);
  const grey = cells(like(colours, (_, i) => 0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]));
  const { height, width, values } = grey, edge = [], roots = like(grey, Math.sqrt);
  for (let x = 0; x < width; x++) edge.push(values[x], values[(height - 1) * width + x]);
  for (let y = 0; y < height; y++) edge.push(values[y * width], values[(y + 1) * width - 1]);
  const high = largest(values), low = -largest(values.map((value) => -value));
  const paper = (2 * median(edge) - low - high) / Math.max(1, high - low);
  const local = blurred(roots, Math.max(2, Math.floor(longer(grey) / NEAR + 0.5))).values;
  const cubes = roots.values.map((value, i) => (value - local[i]) * (value - local[i]) * (value - local[i]));
  return paper - SKEWNESS * (sum(cubes) / Math.max(1e-3, sum(cubes.map(Math.abs)))) >= 0;
}

// The bin between two classes whose means differ most.
function otsu(histogram) {
  const all = sum(histogram), total = sum(histogram.map((count, i) => count * (i / (BINS - 1))));
  let best = -1, threshold = 0, count = 0, below = 0;
  for (let i = 0; i < BINS; i++) {
    count += histogram[i];
    below += histogram[i] * (i / (BINS - 1));
    const other = all - count;
    if (!count || !other) continue;
    const between = count * other * (below / count - (total - below) / other) ** 2;
    if (between > best) { best = between; threshold = i; }
  }
  return threshold;
}

function inkLevel(contrast) {
  const half = largest(contrast) / 2, mostly = median(contrast) > Math.max(MOSTLY, half);
  const low = mostly ? contrast.filter((value) => value <= half) : contrast, paper = low.length ? low : contrast;
  const middle = median(paper), noise = 1.4826 * median(paper.map((value) => Math.abs(value - middle)));
  const above = contrast.filter((value) => value > Math.max(FAINTEST, middle + NOISE * noise));
  if (!above.length) return null;
  const histogram = new Float64Array(BINS);
  for (const value of above) histogram[Math.floor(Math.min(value, 1) * (BINS - 1) + 0.5)]++;
  const mean = (a, b) => sum(histogram.map((count, i) => (i >= a && i < b ? count * i / (BINS - 1) : 0)));
  const first = otsu(histogram) + 1;
  return mean(first, BINS) / sum(histogram.subarray(first));
}

// The darkest channel of {width, height, data: RGBA}, as a canvas has it; of a dark picture the brightest, inverted.
function reflected({ width, height, data }, dark) {
  return like(grid(height, width), dark ? (_, i) => Math.min(data[4 * i], data[4 * i + 1], data[4 * i + 2])
    : (_, i) => 255 - Math.max(data[4 * i], data[4 * i + 1], data[4 * i + 2]));
}

const covered = (g) => like(g, (value) => clip(longer(g) <= COARSE ? value : 2 * value - 0.5));

// Share of ink 0..1, darker or lighter than the paper of a picture, and the contrast of full ink; null if blank.
function findInk(picture, dark) {
  const light = reflected(picture, dark);
  const coarse = cells(light), reach = Math.max(1, Math.floor(longer(coarse) * WIDEST_STROKE / 2 + 0.5));
  const negative = (g) => like(g, (value) => -value);
  const closed = negative(highest(negative(highest(coarse, reach)), reach));
  const paper = spread(blurred(closed, 1), light).values;
  const contrast = light.values.map((value, i) => 1 - value / Math.max(paper[i], 1));
  const level = inkLevel(contrast);
  return level === null ? null : { ink: covered(like(light, (_, i) => contrast[i] / level)), level, light, paper };
}
