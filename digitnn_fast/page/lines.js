// Lines of ruled and squared paper, boxes and lines of forms, step by step as in images/lines.py; reasons stand there.

const LINES = { steepest: 0.1, complete: 0.75, samples: 64, slopes: 20, thickest: 0.03, thin: 0.6, form: [48, 0.2],
  printed: 0.035, sides: [0.6, 0.15], long: 1.5 };

function withoutLines(mask) {
  for (const turned of [false, true]) {
    const page = turned ? transposed(mask) : mask, lines = linesOf(page);
    if (!lines.length) continue;
    const { erased, thickness } = erase(page, lines), any = erased.values.some(Boolean);
    const plausible = any && thickness <= LINES.thickest * longer(mask);
    if (plausible && (lines.length > 1 || thickness < LINES.thin * strokeWidth(erased)))
      mask = turned ? transposed(erased) : erased;
  }
  return mask;
}

// Whether a part may have a box or a line of a form in it.
function isForm(part, shape) {
  const side = boxSide(part);
  return side >= Math.max(LINES.form[0], LINES.form[1] * longer(shape)) && part.stroke <= 2 * LINES.printed * side;
}

// The values of a mask without the boxes and lines of forms, of which it has parts.
function withoutForms(values, labels, parts, shape) {
  const kept = values.slice();
  for (const part of parts.filter((part) => isForm(part, shape))) {
    const tallest = Math.max(0, ...parts.filter((other) => other !== part).map(heightOf));
    const margin = Math.floor(LINES.steepest * boxSide(part)) + 2, { top, left } = part;
    const own = grid(part.bottom - top + 2 * margin, part.right - left + 2 * margin);
    const place = (i) => (top + Math.floor(i / own.width) - margin) * shape.width + left + i % own.width - margin;
    for (let y = margin; y < own.height - margin; y++)
      for (let x = margin; x < own.width - margin; x++)
        own.values[y * own.width + x] = +(labels[place(y * own.width + x)] === part.number);
    const rest = withoutForm(own, margin, part, tallest).values;
    own.values.forEach((value, i) => { if (value && !rest[i]) kept[place(i)] = 0; });
  }
  return kept;
}

function withoutForm(page, margin, part, tallest) {
  const found = [page, transposed(page)].map((own) =>
    linesOf(own, margin).map((rows) => ({ rows, thickness: erase(own, [rows]).thickness })));
  const thinnest = Math.min(...found.flat().map((line) => line.thickness));
  if (thinnest > LINES.printed * boxSide(part)) return page;
  const [level, upright] = found.map((lines) => lines.filter(({ thickness }) => thickness <= 2 * thinnest + 1));
  const [height, width] = [heightOf(part), part.right - part.left];
  const boxed = hasSides(level, upright, margin, height, width) || hasSides(upright, level, margin, width, height);
  if (!boxed && !(level.length && width >= LINES.long * Math.max(height, tallest))) return page;
  let rest = page;
  for (const { rows } of level) rest = erase(rest, [rows]).erased;
  for (const { rows } of boxed ? upright : []) rest = transposed(erase(transposed(rest), [rows]).erased);
  return rest;
}

// Whether some of a pair of sides are far from each other, in a box so long, and another is near its edge.
function hasSides(pair, others, margin, long, wide) {
  const [places, near] = [pair, others].map((lines) => lines.map(({ rows }) => rows[rows.length >> 1]));
  const far = places.length > 1 && Math.max(...places) - Math.min(...places) >= LINES.sides[0] * long;
  return far && near.some((place) => Math.min(place - margin, wide - place + margin) <= LINES.sides[1] * wide);
}

// Rows (width,) of each nearly level line through the whole picture, which may leave it, or between margins.
function linesOf({ height, width, values }, margin = 0) {
  const inner = width - 2 * margin;
  const strip = margin + Math.max(1, Math.floor(inner / 50)), places = Array.from({ length: height * strip }, (_, i) => i);
  const beside = (start) => places.some((i) => values[Math.floor(i / strip) * width + start + i % strip]);
  if (!beside(0) || !beside(width - strip)) return [];
  const near = (y, x) => values[y * width + x] || (y > 0 && values[(y - 1) * width + x]) || (y < height - 1 && values[(y + 1) * width + x]);
  const columns = Array.from({ length: LINES.samples }, (_, i) => margin + Math.floor(i * (inner - 1) / (LINES.samples - 1)));
  const thick = columns.map((x) => Uint8Array.from({ length: height }, (_, y) => (near(y, x) ? 1 : 0)));
  const tilted = (slope, x) => Math.floor(slope * (x - width / 2) + 0.5);
  let best = { score: -1 };
  for (let k = -LINES.slopes; k <= LINES.slopes; k++) {
    const slope = k * (LINES.steepest / LINES.slopes), offsets = columns.map((x) => tilted(slope, x));
    const complete = new Uint8Array(height);
    let score = 0;
    for (let y = 0; y < height; y++) {
      let inside = 0, inked = 0;
      for (let i = 0; i < LINES.samples; i++) {
        const row = y + offsets[i];
        if (row < 0 || row >= height) continue;
        inside++;
        inked += thick[i][row];
      }
      const share = inked / Math.max(inside, 1);
      if (share < LINES.complete || inside < LINES.samples / 4) continue;
      complete[y] = 1;
      score += share;
    }
    if (score > best.score + TINY) best = { score, slope, complete };
  }
  return middlesOf(best.complete).map((middle) => Int32Array.from({ length: width }, (_, x) => middle + tilted(best.slope, x)));
}

// The middle of each run.
function middlesOf(inked) {
  const middles = [];
  for (let first = 0; first < inked.length; first++) {
    if (!inked[first]) continue;
    let last = first;
    while (last < inked.length && inked[last]) last++;
    middles.push(Math.floor((first + last - 1) / 2));
    first = last;
  }
  return middles;
}

function erase(mask, lines) {
  const runs = lines.flatMap((rows) => runsOf(mask, rows));
  const lengths = runs.map(({ first, last }) => last - first).filter((length) => length > 0).sort((a, b) => a - b);
  const thickness = lengths[lengths.length >> 1] ?? 0, erased = like(mask, (value) => value);
  for (const { x, first, last } of runs)
    if (last - first <= 1.5 * thickness + 1) for (let y = first; y < last; y++) erased.values[y * mask.width + x] = 0;
  return { erased, thickness };
}

// First and last row of the ink in each column that a line meets.
function runsOf({ height, width, values }, rows) {
  const inside = (row) => Math.min(Math.max(row, 0), height - 1);
  return Array.from(rows, (row, x) => {
    const inked = (y) => values[y * width + x];
    let start = inside(row);
    const kept = start === row;
    for (const offset of [1, -1, 2, -2]) if (!inked(start)) start = inside(row + offset);
    if (!kept || !inked(start)) return { x, first: start, last: start };
    let first = start, last = start + 1;
    while (first > 0 && inked(first - 1)) first--;
    while (last < height && inked(last)) last++;
    return { x, first, last };
  });
}
