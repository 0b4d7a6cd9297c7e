// A digit that fills its picture, step by step as in images/close.py; reasons stand there.

const CLOSE = { near: [0.12, 0.12], faded: [0.12, 0.34], usual: [0.5, 0.65, 0.7], shadow: 0.85,
  ends: 3, plain: 0.25, main: 0.5, straight: 0.95, rim: 0.02, thick: 0.3, holes: [2, 0.01],
  solid: 0.35, slim: 1.5, icon: 64, narrow: 2.5, mostly: 0.3, both: 0.8, little: 0.02, longest: 4.5,
  few: 20, speck: 0.3, half: [2, 1.2], faint: 0.2, covered: 0.6, around: 0.9, two: 0.76, edgy: 32 };

// Ink, and the parts of a digit that fills the picture; null if none does.
function closeUp(picture) {
  if (longer(picture) <= CLOSE.few) return tiny(picture);
  const ways = [true, false].map((dark) => twoLevels(reflected(picture, dark))).filter(Boolean).map((ink) => {
    const mask = like(ink, (value) => +(value >= EDGE - TINY));
    return { ink, mask, frame: frameShare(mask) };
  });
  const digits = [];
  for (const { ink, mask, frame } of ways) {
    if (frame > CLOSE.around || !reachesFrame(mask, CLOSE.faded)) continue;
    if (sum(mask.values) < CLOSE.mostly * mask.values.length && !reachesFrame(mask, CLOSE.near)) continue;
    const { labels, parts } = findParts(ink), main = parts.reduce((a, b) => (b.mass > a.mass ? b : a));
    if (!isDigit(mask, main, frame) && !isStretched(mask, frame)) continue;
    const written = parts.filter((part) => part.mass >= SMALLEST * main.mass);
    digits.push({ frame, found: { fills: true, ink, labels, written } });
  }
  digits.sort((a, b) => a.found.written.length - b.found.written.length || a.frame - b.frame);
  return digits.length ? digits[0].found : null;
}

// The same of so few pixels.
function tiny(picture) {
  const dark = reflected(picture, true), light = isDarkInLight(dark) ? dark : reflected(picture, false);
  const levels = twoLevels(light), high = largest(light.values), low = -largest(light.values.map((value) => -value));
  if (!levels || frameShare(like(levels, (value) => +(value >= EDGE - TINY))) > CLOSE.around) return null;
  const ink = longer(light) > COARSEST ? levels : like(light, (value) => (high - value) / (high - low));
  if (isHalf(like(ink, (value) => +(value >= EDGE - TINY)))) return null;
  const { labels, parts } = findParts(ink);
  const most = Math.max(...parts.map((part) => part.mass)), written = parts.filter((part) => part.mass >= SMALLEST * most);
  return boxSide(around(written)) < CLOSE.speck * longer(light) ? null : { fills: true, ink, labels, written };
}

// Whether one side is dark and the opposite one light.
function isHalf(mask) {
  const [top, bottom, left, right] = sidesOf(mask, whole(mask), 1), { height, width } = mask;
  const halved = [[top, bottom], [bottom, top], [left, right], [right, left]].some(
    ([one, other]) => one >= CLOSE.straight && other <= CLOSE.faint);
  return halved && height < CLOSE.half[0] * width && strokeWidth(mask) > CLOSE.half[1] * Math.min(height, width);
}

function twoLevels(light) {
  const histogram = new Float64Array(BINS);
  for (const value of light.values) histogram[value]++;
  const threshold = otsu(histogram), bright = light.values.filter((value) => value > threshold);
  if (!bright.length || bright.length === light.values.length) return null;
  const dark = light.values.filter((value) => value <= threshold), paper = Math.max(median(bright), 1);
  const mean = (values) => sum(values) / values.length, share = bright.length / light.values.length;
  const between = share * (1 - share) * (mean(bright) - mean(dark)) ** 2, middle = mean(light.values);
  const variance = mean(light.values.map((value) => (value - middle) ** 2));
  if (longer(light) > CLOSE.edgy && between < CLOSE.two * variance) return null;
  const level = 1 - mean(dark) / paper;
  return level < CLOSE.plain ? null : covered(like(light, (value) => (1 - value / paper) / level));
}

// Share of a box's four sides that is covered within some pixels of each: top, bottom, left, right.
function sidesOf({ width, values }, { top, bottom, left, right }, depth) {
  const covered = (length, place) => {
    let count = 0;
    for (let i = 0; i < length; i++) {
      let any = false;
      for (let j = 0; j < depth; j++) any ||= Boolean(values[place(i, j)]);
      count += any;
    }
    return count / length;
  };
  const at = (y, x) => y * width + x, rows = bottom - top, columns = right - left;
  return [covered(columns, (i, j) => at(Math.min(top + j, bottom - 1), left + i)),
    covered(columns, (i, j) => at(Math.max(bottom - 1 - j, top), left + i)),
    covered(rows, (i, j) => at(top + i, Math.min(left + j, right - 1))),
    covered(rows, (i, j) => at(top + i, Math.max(right - 1 - j, left)))];
}

const whole = ({ height, width }) => ({ top: 0, bottom: height, left: 0, right: width });

function frameShare(mask) {
  const { height, width } = mask, [top, bottom, left, right] = sidesOf(mask, whole(mask), 1);
  return Math.round((top + bottom) * width + (left + right) * height) / (2 * (width + height));
}

// Rows and columns.
function reachOf({ height, width }, near) {
  return [height, width].map((side, axis) => Math.max(1, Math.floor(near[axis] * side + 0.5 + TINY)));
}

function reachesFrame(mask, near) {
  const [rows, columns] = reachOf(mask, near), box = whole(mask);
  const above = sidesOf(mask, box, rows + 1), beside = sidesOf(mask, box, columns + 1);
  return above[0] > 0 && above[1] > 0 && beside[2] > 0 && beside[3] > 0;
}

function isStretched(mask, covered) {
  const { height, width } = mask, [least, middle, most] = CLOSE.usual;
  if (least * height <= width && width <= most * height) return false;
  if (covered > CLOSE.covered || sidesOf(mask, whole(mask), 1).some((share) => share > CLOSE.shadow)) return false;
  const wanted = Math.max(1, Math.floor(middle * height + 0.5 + TINY)), usual = grid(height, wanted);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < wanted; x++)
      usual.values[y * wanted + x] = mask.values[y * width + Math.floor((2 * x + 1) * width / (2 * wanted))];
  const { parts } = findParts(usual), little = sum(mask.values) < CLOSE.mostly * mask.values.length;
  if (!parts.length || little || !reachesFrame(usual, CLOSE.faded)) return false;
  return isDigit(usual, parts.reduce((a, b) => (b.mass > a.mass ? b : a)), frameShare(usual), CLOSE.faded);
}

function isDigit(mask, main, frame, near = CLOSE.near) {
  const size = mask.values.length, inked = sum(mask.values), box = boxSide(main);
  const [rows, columns] = reachOf(mask, near), ends = [main.top <= rows, main.bottom >= mask.height - rows,
    main.left <= columns, main.right >= mask.width - columns].filter(Boolean).length;
  if (main.area < CLOSE.main * inked || ends < CLOSE.ends || !reachesFrame(mask, near)) return false;
  const narrow = main.stroke <= CLOSE.thick * box && main.area <= CLOSE.longest * main.stroke * box;
  const thin = narrow && frame <= CLOSE.covered + 1 / longer(mask);
  const solid = main.stroke >= CLOSE.solid * shorter(main) && inked >= CLOSE.mostly * size;
  if (!thin && !solid) return false;
  const papers = findParts(like(mask, (value) => 1 - value)).parts, holes = papers.filter((paper) => !paper.atEdge);
  if (solid && !holes.length) {
    const { height, width } = mask, most = Math.max(0, ...papers.map((paper) => paper.area));
    const sides = most <= Math.max(CLOSE.both * (size - inked), CLOSE.little * size) || height >= CLOSE.narrow * width;
    if ((sides && height >= CLOSE.slim * width) || (longer(mask) <= CLOSE.icon && (sides || !frame))) return true;
  }
  const rims = sidesOf(mask, main, Math.floor(CLOSE.rim * box) + 1);
  const many = holes.filter((hole) => hole.area >= CLOSE.holes[1] * size).length > CLOSE.holes[0];
  return thin && rims.filter((share) => share >= CLOSE.straight).length <= 1 && !many;
}
