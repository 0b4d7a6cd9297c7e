// Connected parts of the ink, and which of them are the digit, as in images/parts.py and images/__init__.py, where the
// reasons stand; close.js before them, polarity.js, lines.js and shadows.js between, then fit.js.

const EDGE = 0.5, SMALLEST = 0.05, FAR = 0.6, FRAME = 0.2, STRONG = 0.8, HELD = 0.1, RIM = 0.06, AROUND = 0.8;
const HOLLOW = 4, SHEET = 0.4, COMPACT = 0.4, SMALL = [8, 1 / 64], SMALLER = [3, 1 / 8], BROKEN = 0.4;
const MOST = 300, LINE = 0.03, BLOT = [0.2, 64], STRAIGHT = 0.1, HAIR = [2, 0.01], SCRAP = 0.05;
const GROUPS = { overlap: 0.4, tall: 0.7, apart: 0.15, many: 4, readable: 8, most: 20, few: 4, low: 0.4, lowest: 0.3 };

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
  const inked = (own) => like(found.ink, (value, i) => (mask.values[i] && !own[i] ? 0 : value));
  let ink = inked(kept), { labels, parts } = findParts(ink);
  if (parts.some((part) => isForm(part, picture))) {
    ink = inked(withoutForms(kept, labels, parts, picture));
    ({ labels, parts } = findParts(ink));
  }
  const smallest = Math.max(3, longer(ink) / 100);
  const large = mostOf(parts.filter((part) => boxSide(part) >= smallest && !part.framed && !isFromEdge(part, picture)));
  if (large.some((part) => isSheet(part, labels, picture))) return null;
  const rest = withoutHairs(withoutFrames(large, labels, picture.width), longer(ink));
  const written = rest.filter((part) => !isShadow(found, labels, part));
  return isDust(written, picture) ? null : { ink, labels, written };
}

// Whether nothing is written but specks.
function isDust(parts, shape) {
  const massOf = (written) => sum(parts.filter((part) => part.written === written).map((part) => part.mass));
  const scraps = parts.every((part) => !part.written || boxSide(part) < SCRAP * longer(shape));
  return scraps && massOf(false) >= massOf(true);
}

// Those with most ink.
function mostOf(parts) {
  if (parts.length <= MOST) return parts;
  const least = parts.map((part) => part.mass).sort((a, b) => a - b).at(-MOST);
  return parts.filter((part) => part.mass >= least).slice(0, MOST);
}

const isStraight = (part, width) => shorter(part) <= STRAIGHT * boxSide(part) + width;

// Whether a part is a shadow from the picture's edge, or thin and runs from one edge to another, or straight from one.
function isFromEdge(part, { height, width }) {
  const edges = [part.top === 0, part.left === 0, part.bottom === height, part.right === width].filter(Boolean).length;
  if (edges && part.stroke > BLOT[0] * boxSide(part) && Math.max(height, width) > BLOT[1]) return true;
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
function inkOf({ ink, labels }, parts, box = around(parts)) {
  const own = new Set([0, ...parts.map((part) => part.number)]);
  return cropped(like(ink, (value, i) => (own.has(labels[i]) ? value : 0)), box);
}

// The box of a digit's parts, with the faint pixels around it if it fills a picture of few.
function digitBox({ ink, fills }, parts) {
  const { top, bottom, left, right } = around(parts), more = fills && longer(ink) <= COARSEST ? 1 : 0;
  return { top: Math.max(top - more, 0), bottom: Math.min(bottom + more, ink.height),
    left: Math.max(left - more, 0), right: Math.min(right + more, ink.width) };
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

const heightOf = ({ top, bottom }) => bottom - top;
const swapped = ({ top, bottom, left, right, ...rest }) => ({ top: left, bottom: right, left: top, right: bottom, ...rest });
const heightsOf = (parts) => columnsOf(parts).map((group) => heightOf(around(group)));
const countTall = (heights, tallest = Math.max(...heights), least = 0) =>
  heights.filter((height) => height >= Math.max(GROUPS.tall * tallest, least)).length;

// Groups side by side that are nearly as tall as the tallest: of a line, or of all lines that have two at least.
function countOf(parts) {
  const chosen = choose(parts, Infinity), all = heightsOf(chosen);
  const lines = columnsOf(chosen.map(swapped)).map((line) => heightsOf(line.map(swapped)));
  const counts = lines.map((line) => countTall(line, Math.max(...lines.flat()), GROUPS.readable));
  return Math.max(countTall(all, Math.max(...all), GROUPS.readable), sum(counts.filter((count) => count > 1)));
}

// The digit in a picture {width, height, data: RGBA} of at most 512 x 512: {ink, fills}; null if nothing is written on it.
function oneDigit(picture) {
  const found = findWritten(unrepeated(picture)), count = found && countOf(found.written);
  if (count >= GROUPS.many) throw new RangeError(`there seem to be ${count} digits, not one`);
  if (!found) return found;
  const parts = choose(found.written);
  return { ink: inkOf(found, parts, digitBox(found, parts)), fills: found.fills };
}

// Pixels (784,) of it.
function preprocess(picture) {
  const digit = oneDigit(picture);
  return digit && fit(digit.ink, digit.fills);
}
