// Edges of shadows that look like ink, step by step as in images/shadows.py; reasons stand there.

const SHADOWS = { even: 0.05, beside: 1.5, clearly: 0.5, most: 0.6 };

// Whether a part of what `findInk` found is only where the paper becomes darker.
function isShadow({ level, light, paper }, labels, part) {
  if (-largest(paper.map((value) => -value)) >= (1 - SHADOWS.even) * largest(paper)) return false;
  const reach = Math.floor(SHADOWS.beside * part.stroke) + 2, margin = reach + 2, { width, height } = light;
  const box = { top: Math.max(0, part.top - margin), bottom: Math.min(height, part.bottom + margin),
    left: Math.max(0, part.left - margin), right: Math.min(width, part.right + margin) };
  const own = cropped(light, box), seen = part.stroke >= 3 ? blurred(own, 1) : own, beside = brighterSide(seen, reach);
  let count = 0, clear = 0;
  seen.values.forEach((value, i) => {
    const y = box.top + Math.floor(i / seen.width), x = box.left + i % seen.width;
    if (labels[y * width + x] !== part.number) return;
    count++;
    clear += 1 - value / Math.max(beside[i], 1) >= SHADOWS.clearly * level;
  });
  return clear / count < SHADOWS.most;
}

// The light of the darker one of two sides, at its brightest within reach: of four directions the best.
function brighterSide(light, reach) {
  const best = new Float64Array(light.values.length).fill(-Infinity);
  for (const [down, right] of [[0, 1], [1, 0], [1, 1], [1, -1]]) {
    const one = brightest(light, down, right, reach), other = brightest(light, -down, -right, reach);
    one.forEach((value, i) => { best[i] = Math.max(best[i], Math.min(value, other[i])); });
  }
  return best;
}

// Maxima over each pixel and the next ones in a direction, by windows that double.
function brightest({ height, width, values }, down, right, reach) {
  for (let size = 1; size <= reach;) {
    const step = Math.min(size, reach + 1 - size), next = new Float64Array(values);
    for (let y = 0; y < height; y++) {
      const v = y + down * step;
      if (v < 0 || v >= height) continue;
      for (let x = 0; x < width; x++) {
        const u = x + right * step;
        if (u >= 0 && u < width) next[y * width + x] = Math.max(values[y * width + x], values[v * width + u]);
      }
    }
    values = next;
    size += step;
  }
  return values;
}
