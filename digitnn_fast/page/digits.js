// A picture's colours -> the 28x28 that MNIST would have made of it. What the network makes of that is in network.js.
// The same steps in the same order as images/ink.py and parts.py, where the reasons stand, all in float64; close.js
// before them, lines.js and shadows.js between, then fit.js.
"use strict";

const CELLS = 64, WIDEST_STROKE = 1 / 3, FAINTEST = 0.06, NEAR = 10, SKEWNESS = 2, NOISE = 6, MOSTLY = 0.25, BINS = 256;
const EDGE = 0.5, SMALLEST = 0.05, FAR = 0.6, FRAME = 0.2, STRONG = 0.8, HELD = 0.1, RIM = 0.06, AROUND = 0.8;
const HOLLOW = 4, SHEET = 0.4, COMPACT = 0.4, SMALL = [8, 1 / 64], SMALLER = [3, 1 / 8], BROKEN = 0.4;
const MOST = 300, LINE = 0.03, STRAIGHT = 0.1, HAIR = [2, 0.01];

// Grids: {height, width, values: Float64Array, row after row}.
const grid = (height, width, fill = 0) => ({ height, width, values: new Float64Array(height * width).fill(fill) });
const like = (source, value) => ({ ...source, values: source.values.map(value) }); // Float64Array.from is much slower
const longer = (g) => Math.max(g.height, g.width);
const sum = (values) => values.reduce((total, value) => total + value, 0);
const largest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
const clip = (value) => Math.min(1, Math.max(0, value));

function transposed(g) {
  const result = grid(g.width, g.height);
  for (let y = 0; y < g.height; y++)
    for (let x = 0; x < g.width; x++) result.values[x * g.height + y] = g.values[y * g.width + x];
  return result;
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

// Each line of values down the columns, and then down the rows, through a function (old, length) -> new.
function alongBoth(g, change) {
  let result = g;
  for (let axis = 0; axis < 2; axis++) {
    const turned = transposed(result), next = [];
    for (let y = 0; y < turned.height; y++)
      next.push(change(turned.values.subarray(y * turned.width, (y + 1) * turned.width), axis));
    result = grid(next.length, next[0].length);
    next.forEach((line, y) => result.values.set(line, y * result.width));
  }
  return result;
}

const blurred = (g, reach) => alongBoth(g, (line) => {
  const sums = new Float64Array(line.length + 1);
  line.forEach((value, i) => { sums[i + 1] = sums[i] + value; });
  return line.map((_, i) => {
    const first = Math.max(i - reach, 0), last = Math.min(i + reach + 1, line.length);
    return (sums[last] - sums[first]) / (last - first);
  });
});

const highest = (g, reach) => alongBoth(g, (line) =>
  line.map((_, i) => largest(line.subarray(Math.max(i - reach, 0), i + reach + 1))));

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
  return alongBoth(g, (line, axis) => {
    const result = new Float64Array(axis ? shape.width : shape.height);
    return result.map((_, i) => {
      const place = Math.min(Math.max((i + 0.5) / side - 0.5, 0), line.length - 1);
      const first = Math.min(Math.floor(place), Math.max(0, line.length - 2)), share = place - first;
      return line[first] * (1 - share) + line[Math.min(first + 1, line.length - 1)] * share;
    });
  });
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

// Share of ink 0..1, darker or lighter than the paper of a picture, and the contrast of full ink; null if blank.
function findInk(picture, dark) {
  const light = reflected(picture, dark);
  const coarse = cells(light), reach = Math.max(1, Math.floor(longer(coarse) * WIDEST_STROKE / 2 + 0.5));
  const negative = (g) => like(g, (value) => -value);
  const closed = negative(highest(negative(highest(coarse, reach)), reach));
  const paper = spread(blurred(closed, 1), light).values;
  const contrast = light.values.map((value, i) => 1 - value / Math.max(paper[i], 1));
  const level = inkLevel(contrast);
  return level === null ? null : { ink: like(light, (_, i) => clip(2 * contrast[i] / level - 0.5)), level, light, paper };
}

// Parts

// Number of each pixel's part, and the parts: {number, top, bottom, left, right, mass, stroke, framed, written}.
function findParts(ink) {
  const { height, width, values } = ink, labels = new Int32Array(values.length), parts = [];
  for (let start = 0; start < values.length; start++) {
    if (labels[start] || values[start] < EDGE - TINY) continue;
    const part = { number: parts.length + 1, top: height, bottom: 0, left: width, right: 0, mass: 0, atEdge: 0, area: 0, outline: 0 };
    const todo = [start];
    labels[start] = part.number;
    while (todo.length) {
      const place = todo.pop(), y = Math.floor(place / width), x = place % width;
      part.top = Math.min(part.top, y); part.bottom = Math.max(part.bottom, y + 1);
      part.left = Math.min(part.left, x); part.right = Math.max(part.right, x + 1);
      part.mass += values[place]; part.area++;
      part.atEdge += y === 0 || y === height - 1 || x === 0 || x === width - 1;
      for (const [v, u] of [[y - 1, x], [y + 1, x], [y, x - 1], [y, x + 1]])
        part.outline += v < 0 || v === height || u < 0 || u === width || values[v * width + u] < EDGE - TINY;
      for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, height - 1); v++)
        for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, width - 1); u++) {
          const near = v * width + u;
          if (!labels[near] && values[near] >= EDGE - TINY) { labels[near] = part.number; todo.push(near); }
        }
    }
    part.framed = part.atEdge * FRAME * longer(ink) > part.mass;
    part.stroke = 2 * part.area / Math.max(1, part.outline * Math.PI / 4);
    const shortest = Math.max(Math.min(SMALL[0], Math.max(SMALLER[0], SMALLER[1] * longer(ink))), SMALL[1] * longer(ink));
    part.written = boxSide(part) >= shortest && part.stroke <= COMPACT * boxSide(part);
    parts.push(part);
  }
  return { labels, parts };
}

const boxSide = (p) => Math.max(p.bottom - p.top, p.right - p.left);
const gap = (a, b) => Math.max(a.top - b.bottom, b.top - a.bottom, a.left - b.right, b.left - a.right, 0);

function around(parts) {
  const edge = (name, f) => f(...parts.map((part) => part[name]));
  return { top: edge("top", Math.min), bottom: edge("bottom", Math.max),
    left: edge("left", Math.min), right: edge("right", Math.max) };
}

function choose(parts, far = FAR) {
  const written = parts.filter((part) => part.written);
  const main = (written.length ? written : parts).reduce((best, part) => (part.mass > best.mass ? part : best));
  let box = main, near = [main], rest = parts.filter((part) => part !== main && part.mass >= SMALLEST * main.mass);
  const chosen = [];
  while (near.length) {
    chosen.push(...near);
    box = around(chosen);
    near = rest.filter((part) => gap(part, box) <= Math.max(far * boxSide(main), BROKEN * boxSide(box)));
    rest = rest.filter((part) => !near.includes(part));
  }
  return chosen;
}

// Whether a part covers all four sides of its box, as the printed frame of a form does.
function runsAround(part, labels, width) {
  const rim = Math.floor(RIM * boxSide(part)) + 1, height = part.bottom - part.top, breadth = part.right - part.left;
  const covered = (length, depth, at) => {
    let count = 0;
    for (let i = 0; i < length; i++) {
      let found = false;
      for (let j = 0; j < Math.min(rim, depth); j++) found ||= labels[at(i, j)] === part.number;
      count += found;
    }
    return count / length >= AROUND;
  };
  const at = (y, x) => y * width + x;
  return covered(breadth, height, (i, j) => at(part.top + j, part.left + i))
    && covered(breadth, height, (i, j) => at(part.bottom - 1 - j, part.left + i))
    && covered(height, breadth, (i, j) => at(part.top + i, part.left + j))
    && covered(height, breadth, (i, j) => at(part.top + i, part.right - 1 - j));
}

const shorter = (p) => Math.min(p.bottom - p.top, p.right - p.left);

// Whether it is a sheet of paper: it fills much of its box, which is neither small nor narrow.
function isSheet(part, labels, { height, width }) {
  const large = boxSide(part) >= SHEET * Math.max(height, width) && shorter(part) >= SHEET * boxSide(part);
  return large && part.area >= SHEET * shorter(part) * boxSide(part) && runsAround(part, labels, width);
}

function withoutFrames(parts, labels, width) {
  const hollow = (part) => shorter(part) >= HOLLOW * part.stroke;
  const holds = (part) => parts.some((other) => other !== part && boxSide(other) >= HELD * boxSide(part)
    && other.top >= part.top && other.bottom <= part.bottom && other.left >= part.left && other.right <= part.right);
  return parts.filter((part) => !((hollow(part) || holds(part)) && runsAround(part, labels, width)));
}

// Ink, and the parts that are written, if the ink is darker than the paper, or lighter; null if there are none.
function writtenAs(picture, dark, least) {
  const found = findInk(picture, dark);
  if (!found || found.level < least) return null;
  const mask = like(found.ink, (value) => +(value >= EDGE - TINY)), kept = withoutLines(mask).values;
  const ink = like(found.ink, (value, i) => (mask.values[i] && !kept[i] ? 0 : value));
  const { labels, parts } = findParts(ink), smallest = Math.max(3, longer(ink) / 100);
  const large = mostOf(parts.filter((part) => boxSide(part) >= smallest && !part.framed && !isLine(part, picture)));
  if (large.some((part) => isSheet(part, labels, picture))) return null;
  const rest = withoutHairs(withoutFrames(large, labels, picture.width), longer(ink));
  const written = rest.filter((part) => !isShadow(found, labels, part));
  return written.some((part) => part.written) ? { ink, labels, written } : null;
}

// Those with most ink.
function mostOf(parts) {
  if (parts.length <= MOST) return parts;
  const least = parts.map((part) => part.mass).sort((a, b) => a - b).at(-MOST);
  return parts.filter((part) => part.mass >= least).slice(0, MOST);
}

const isStraight = (part, width) => shorter(part) <= STRAIGHT * boxSide(part) + width;

// Whether a part is thin and runs from one of the picture's edges to another, or straight from one.
function isLine(part, { height, width }) {
  const edges = [part.top === 0, part.left === 0, part.bottom === height, part.right === width].filter(Boolean).length;
  return part.stroke < LINE * Math.max(height, width) && (edges > 1 || (edges === 1 && isStraight(part, part.stroke)));
}

function withoutHairs(parts, side) {
  const width = Math.min(HAIR[0], HAIR[1] * side);
  const hairs = parts.filter((part) => part.stroke < width && isStraight(part, width));
  const level = (part) => part.bottom - part.top === shorter(part);
  const parallel = [true, false].map((way) => hairs.filter((part) => level(part) === way)).filter((all) => all.length > 1);
  return parts.filter((part) => !parallel.flat().includes(part));
}

// What is written: {ink, labels, written: its parts, fills: whether they fill the picture}; null if nothing is.
function findWritten(picture) {
  const found = closeUp(picture);
  if (found) return found;
  const dark = isDarkOnLight(picture);
  return writtenAs(picture, dark, 0) ?? writtenAs(picture, !dark, STRONG);
}

// The ink of parts in their box.
function inkOf({ ink, labels }, parts) {
  const own = new Set([0, ...parts.map((part) => part.number)]);
  return cropped(like(ink, (value, i) => (own.has(labels[i]) ? value : 0)), around(parts));
}

const cutOut = (found, parts, stretched) => fit(inkOf(found, parts), stretched);

// Pixels (784,) of a picture {width, height, data: RGBA} of at most 512 x 512; null if nothing is written on it.
function preprocess(picture) {
  const found = findWritten(picture);
  return found && cutOut(found, choose(found.written), found.fills);
}
