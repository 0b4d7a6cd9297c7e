// A picture file -> its colours, and the digits that `image` reads in it.

const LEAST = 1e-12, SURER = 1.1; // of the probabilities of two readings; strokes drawn on the page are even, and read once
const LOOSE = { length: 0.6, near: 0.2, slight: 0.01 }, LARGEST_CANVAS = 16e6, MOST_PIXELS = 120e6;

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
  return unrepeated(onPaper(reduced(pen.getImageData(0, 0, canvas.width, canvas.height))));
}

// The digits in colours as {digits, problem}: {box, readings} of each from left to right, or why there are none.
// Of only one the first reading is what `preprocess` makes.
function digitsIn(colours) {
  const found = findWritten(colours);
  if (!found) return { digits: [], problem: "Nothing is written on it" };
  const groups = columnsOf(choose(found.written, Infinity)), heights = groups.map((group) => heightOf(around(group)));
  const parts = choose(found.written), box = digitBox(found, parts);
  const many = countTall(heights) > 1 || countOf(found.written) >= GROUPS.many;
  if (many || box.right - box.left > TOUCHING.number * heightOf(box)) return numberIn(found, groups);
  return { digits: [{ box, readings: fitTwice(inkOf(found, parts, box), found.fills) }] };
}

// The digits of a number in groups of parts.
function numberIn(found, groups) {
  const tall = GROUPS.tall * Math.max(...groups.flat().map(heightOf));
  for (const group of groups) {
    const boxes = group.filter((part) => heightOf(part) >= tall).sort((a, b) => a.top - b.top);
    if (boxes.some((below, i) => i && below.top - boxes[i - 1].bottom > GROUPS.apart * tall))
      return { digits: [], problem: "More than one line of digits" };
  }
  const whole = joined(found, groups), high = whole.map((group) => heightOf(around(group)));
  const kept = whole.filter((_, i) => high[i] >= GROUPS.lowest * Math.max(...high));
  const low = kept.filter((group) => heightOf(around(group)) < tall).length;
  if (kept.length > GROUPS.most || (kept.length >= GROUPS.few && low > GROUPS.low * kept.length))
    return { digits: [], problem: "This is no number" };
  return { digits: kept.flatMap((group) => digitsOf(found, group)) };
}

// The groups with loose strokes put to their digits.
function joined(found, groups) {
  const tallest = Math.max(...groups.map((group) => heightOf(around(group)))), { length, near, slight } = LOOSE;
  return groups.slice(1).reduce((all, group) => {
    const last = all.at(-1), both = [...last, ...group], [box, other] = [last, group].map(around);
    const loose = boxSide(other) < boxSide(box) ? other : box;
    const far = heightOf(loose) >= GROUPS.lowest * tallest ? near * tallest : 0;
    if (boxSide(loose) >= length * tallest || other.left - box.right > far) return [...all, group];
    const [one, another, together] = [last, group, both].map((parts) => sure({ ink: inkOf(found, parts) }));
    return one * another < together + slight ? [...all.slice(0, -1), both] : [...all, group];
  }, groups.slice(0, 1));
}

// The digits of parts that lie above each other, or touch.
function digitsOf(found, parts) {
  const box = around(parts);
  return apart(inkOf(found, parts)).map(({ top, left, ink }) => ({
    box: { top: box.top + top, bottom: box.top + top + ink.height, left: box.left + left, right: box.left + left + ink.width },
    readings: fitTwice(ink),
  }));
}

// Probabilities (10,) of readings, pixels (784,) each, as `predict_readings` in predictor.py.
function together(readings) {
  const each = readings.map((pixels) => forward(MODEL, prepared(MODEL, pixels)));
  if (each.length === 1) return each[0];
  const logs = each.map((shares) => shares.map((share) => Math.log(Math.max(share, LEAST))));
  const powers = each[0].map((_, digit) => Math.exp(SURER * sum(logs.map((own) => own[digit])) / each.length));
  return powers.map((power) => power / sum(powers));
}

// Digits that touch each other, step by step as in images/touching.py; reasons stand there.

// `number`: as wide, one alone may be more.
const TOUCHING = { wide: [0.8, 0.9], number: 1.4, ends: 0.2, step: 0.08, steps: 24, around: 0.1, slight: 0.02, alike: 0.65,
  surer: 0.001, most: 6 };

// The digits in ink from left to right: {top, left, ink} of each.
function apart(ink, most = TOUCHING.most) {
  const { height, width } = ink, whole = [{ top: 0, left: 0, ink }];
  if (width <= TOUCHING.wide[0] * height || most < 2) return whole;
  const room = width - 2 * TOUCHING.ends * height, step = Math.max(TOUCHING.step * height, room / TOUCHING.steps);
  const places = Array.from({ length: Math.floor(room / step + TINY) + 1 }, (_, place) => TOUCHING.ends * height + place * step);
  const ways = places.map((place) => cutInTwo(ink, pathIn(ink, place))).filter(Boolean);
  const both = ways.map((way) => sure(way[0]) * sure(way[1])), best = both.reduce((a, b, i) => (b > both[a] ? i : a), 0);
  const slight = TOUCHING.surer * (width / height - TOUCHING.wide[1]);
  if (!ways.length || both[best] + slight <= sure(whole[0]) + TINY) return whole;
  return ways[best].flatMap((piece) => apart(piece.ink, most >> 1).map((own) =>
    ({ top: piece.top + own.top, left: piece.left + own.left, ink: own.ink })));
}

const sure = ({ ink }) => Math.max(...forward(MODEL, prepared(MODEL, fit(ink))));

function cutInTwo(ink, path) {
  const pieces = [true, false].map((left) => {
    const half = like(ink, (value, i) => ((i % ink.width < path[Math.floor(i / ink.width)]) === left ? value : 0));
    const box = boxOf(half);
    return box.bottom ? { top: box.top, left: box.left, ink: cropped(half, box) } : null;
  });
  if (!pieces.every(Boolean)) return null;
  return Math.min(...pieces.map((piece) => piece.ink.height)) >= TOUCHING.alike * ink.height ? pieces : null;
}

// The first column right of a path in each row.
function pathIn({ height, width, values }, expected) {
  const reach = TOUCHING.around * height, steps = [];
  const first = Math.max(1, Math.floor(expected - reach + TINY)), last = Math.min(width - 1, Math.floor(expected + reach + TINY));
  const columns = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const cost = (y, x) => values[y * width + x] + TOUCHING.slight * Math.abs(x - expected) / height;
  let sums = columns.map((x) => cost(0, x));
  for (let y = 1; y < height; y++) {
    const step = sums.map((own, i) => {
      const [left, right] = [sums[i - 1] ?? Infinity, sums[i + 1] ?? Infinity];
      return own <= left && own <= right ? 0 : left <= right ? -1 : 1;
    });
    steps.push(step);
    sums = columns.map((x, i) => sums[i + step[i]] + cost(y, x));
  }
  let place = sums.indexOf(Math.min(...sums));
  const path = [place];
  for (const step of steps.reverse()) path.push(place += step[place]);
  return path.reverse().map((i) => columns[i]);
}
