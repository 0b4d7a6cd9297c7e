// The digit's ink -> the 28x28 that MNIST would have made of it, step by step as in images/fit.py; reasons stand there.

const BOX = 20, FINE = 5, THINNEST = 2, THICKEST = 2.5, MARGIN = 12, DEEPEST = 40, NEARBY = 0.4, TINY = 1e-9;
const USUAL = [0.5, 0.55, 0.75], WIDER = 1.1, COARSEST = 12;

function resized(g, side, wide = 1, cubic = false) {
  const scale = side / longer(g), length = (old) => Math.max(1, Math.floor(old * scale + 0.5 + TINY));
  return sized(g, length(g.height), length(g.width * wide), cubic);
}

function sized(g, height, width, cubic = false) {
  const parts = [partsOf(g.height, height, cubic), partsOf(g.width, width, cubic)];
  const result = alongBoth(g, (line, into, axis) => {
    for (let i = 0; i < into.length; i++) {
      const { first, weights, all } = parts[axis][i];
      let total = 0;
      for (let j = 0; j < weights.length; j++) total += weights[j] * line[first + j];
      into[i] = total / all;
    }
  }, [height, width]);
  return cubic ? like(result, clip) : result;
}

// Of each new pixel the first old one that it is made of, their weights, and the sum of these.
function partsOf(old, length, cubic) {
  const scale = old / length, step = Math.max(1, scale), weigh = cubic ? keys : triangle, reach = (cubic ? 2 : 1) * step;
  return Array.from({ length }, (_, i) => {
    const centre = (i + 0.5) * scale - 0.5, first = Math.max(0, Math.ceil(centre - reach)), weights = [];
    for (let j = first; j <= Math.min(old - 1, centre + reach); j++) weights.push(weigh(Math.abs(j - centre) / step));
    return { first, weights, all: sum(weights) };
  });
}

const triangle = (far) => Math.max(0, 1 - far);

function keys(far) {
  if (far >= 2) return 0;
  return far < 1 ? (1.5 * far - 2.5) * far * far + 1 : ((2.5 - 0.5 * far) * far - 4) * far + 2;
}

// Of ink, 0..1, or of a mask.
function strokeWidth({ height, width, values }) {
  const least = 0.5 - TINY;
  let area = 0, edges = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = y * width + x, inked = values[at] >= least;
      if (inked) area++;
      if (y && inked !== values[at - width] >= least) edges++;
      if (x && inked !== values[at - 1] >= least) edges++;
    }
  return 2 * area / Math.max(1, edges * Math.PI / 4);
}

// Distance of each pixel to those that are 1, more than `limit` if that is farther.
function distance(mask, limit) {
  const nearest = alongBoth(mask, (line, into, axis) => {
    const { length } = line;
    if (axis === 0) {
      for (let i = 0; i < length; i++) into[i] = line[i] ? 0 : limit + 1;
      for (let i = 1; i < length; i++) into[i] = Math.min(into[i], into[i - 1] + 1);
      for (let i = length - 2; i >= 0; i--) into[i] = Math.min(into[i], into[i + 1] + 1);
      for (let i = 0; i < length; i++) into[i] *= into[i];
      return;
    }
    for (let i = 0; i < length; i++) {
      let least = line[i];
      for (let step = 1; step <= limit && step * step < least; step++) {
        if (i >= step) least = Math.min(least, line[i - step] + step * step);
        if (i + step < length) least = Math.min(least, line[i + step] + step * step);
      }
      into[i] = least;
    }
  });
  return like(nearest, Math.sqrt);
}

function withMargin(g, margin) {
  const result = grid(g.height + 2 * margin, g.width + 2 * margin);
  for (let y = 0; y < g.height; y++)
    result.values.set(g.values.subarray(y * g.width, (y + 1) * g.width), (y + margin) * result.width + margin);
  return result;
}

function thickened(ink) {
  const shrunk = longer(ink) / (FINE * BOX), width = strokeWidth(ink);
  if (width >= shrunk) return ink;
  const reach = Math.floor((shrunk - width) / 2 + TINY) + 1;
  return highest(withMargin(ink, reach), reach);
}

function restroked(fine) {
  const padded = withMargin(fine, MARGIN);
  const threshold = Math.min(0.5, 0.9 * largest(padded.values)) - TINY;
  const mask = like(padded, (value) => +(value >= threshold));
  const width = strokeWidth(mask) / FINE, wanted = Math.min(Math.max(width, THINNEST), THICKEST);
  if (wanted > width) {
    const grown = Math.min(FINE * (wanted - width) / 2, MARGIN - 2);
    return like(distance(mask, Math.floor(grown) + 1), (value) => clip(grown + 1 - value));
  }
  const depth = distance(like(mask, (value) => 1 - value), DEEPEST);
  const middle = highest(depth, Math.max(2, Math.floor(NEARBY * FINE * width + 0.5))).values;
  return like(depth, (value, i) => clip(value - middle[i] * (1 - wanted / width)));
}

function cropped(g, { top, bottom, left, right }) {
  const result = grid(bottom - top, right - left);
  for (let y = 0; y < result.height; y++)
    result.values.set(g.values.subarray((top + y) * g.width + left, (top + y) * g.width + right), y * result.width);
  return result;
}

// The rows and columns that have ink; bottom is 0 if none has.
function boxOf(ink, least = 0.5) {
  const box = { top: Infinity, bottom: 0, left: Infinity, right: 0 };
  for (let y = 0; y < ink.height; y++)
    for (let x = 0; x < ink.width; x++) {
      if (ink.values[y * ink.width + x] < least - TINY) continue;
      box.top = Math.min(box.top, y); box.bottom = y + 1;
      box.left = Math.min(box.left, x); box.right = Math.max(box.right, x + 1);
    }
  return box;
}

function centred(ink, wide) {
  const box = boxOf(ink, Math.min(0.5, 0.9 * largest(ink.values)));
  const small = resized(cropped(ink, box), BOX, wide), total = sum(small.values);
  const corner = (length, place) => {
    const middle = sum(small.values.map((value, i) => value * (place(i) + 0.5))) / total;
    return Math.min(Math.max(Math.floor(SIDE / 2 - middle + 0.5 + TINY), 0), SIDE - length);
  };
  const top = corner(small.height, (i) => Math.floor(i / small.width));
  const left = corner(small.width, (i) => i % small.width);
  const pixels = new Uint8Array(SIDE * SIDE);
  small.values.forEach((value, i) => {
    pixels[(top + Math.floor(i / small.width)) * SIDE + left + i % small.width] = Math.floor(255 * value + 0.5 + TINY);
  });
  return pixels;
}

// Pixels (784,) of a grid of ink, 0..1, that fills its box, and may have been stretched to fill its picture.
function fit(given, stretched) {
  return centred(waysOf(given, stretched)[0]);
}

// The two readings of the same ink, pixels (784,) each.
function fitTwice(given, stretched) {
  const [first, second] = waysOf(given, stretched);
  return [centred(first), centred(second, WIDER)];
}

function waysOf(given, stretched) {
  if (stretched && longer(given) <= COARSEST) return [true, false].map((usual) => fineOf(given, usual, true));
  const fine = fineOf(thickened(given), stretched);
  return [restroked(fine), fine];
}

function fineOf(ink, stretched, cubic) {
  const { height, width } = ink, usual = USUAL[0] * height <= width && width <= USUAL[2] * height, side = FINE * BOX;
  if (usual || !stretched) return resized(ink, side, 1, cubic);
  return sized(ink, side, Math.floor(USUAL[1] * side + 0.5 + TINY), cubic);
}
