// What is drawn on the page. Its paper, pen and polarity are known, so that no rule for photos is needed: strokes are
// drawn anew at one size, however small they were, also beyond the edges of the paper.
// Strokes are lists of points [x, y], in widths of the paper.

// Pixels of the longer side and of the pen. In widths of the paper, what is longer is no dot. A digit whose width by its
// height is between the first two, and whose strokes run over its width so often, becomes as wide as the third.
// Strokes side by side, both so tall, and so far apart, in heights of the taller, are two digits.
const DRAWN = { side: 200, pen: 25, least: 0.04, narrow: [0.06, 0.35, 0.45], often: 1.8, tall: 0.7, apart: 0.08 };

function boundsOf(strokes) {
  const [xs, ys] = [0, 1].map((axis) => strokes.flat().map((point) => point[axis]));
  const edge = (values, f) => values.reduce((a, b) => f(a, b));
  const box = { left: edge(xs, Math.min), right: edge(xs, Math.max), top: edge(ys, Math.min), bottom: edge(ys, Math.max) };
  return { ...box, width: box.right - box.left, height: box.bottom - box.top };
}

function drawLines(pen, strokes, width) {
  Object.assign(pen, { lineWidth: width, lineCap: "round", lineJoin: "round", strokeStyle: "black" });
  for (const stroke of strokes) {
    pen.beginPath();
    pen.moveTo(...stroke[0]);
    stroke.forEach((point) => pen.lineTo(...point));
    pen.stroke();
  }
}

// Whether a digit is narrower than anybody writes one, and no 1, whose strokes hardly go from side to side.
function isSqueezed(strokes, { width, height }) {
  const travel = sum(strokes.map((stroke) => sum(stroke.slice(1).map((point, i) => Math.abs(point[0] - stroke[i][0])))));
  const [least, most] = DRAWN.narrow;
  return width >= least * height && width <= most * height && travel >= DRAWN.often * width;
}

// A canvas that the strokes fill; null if they are no larger than a dot.
function drawnAnew(strokes) {
  const box = boundsOf(strokes), size = Math.max(box.width, box.height);
  if (size < DRAWN.least) return null;
  const down = DRAWN.side / size, across = isSqueezed(strokes, box) ? DRAWN.narrow[2] * DRAWN.side / box.width : down;
  const canvas = document.createElement("canvas"), edge = DRAWN.pen / 2 + 1;
  canvas.width = Math.ceil(box.width * across + 2 * edge);
  canvas.height = Math.ceil(box.height * down + 2 * edge);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  drawLines(pen, strokes.map((stroke) => stroke.map(([x, y]) =>
    [(x - box.left) * across + edge, (y - box.top) * down + edge])), DRAWN.pen);
  return canvas;
}

// Pixels (784,) of a canvas that is black on white, and no photo.
function pixelsOf(canvas) {
  const { width, height, data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const ink = grid(height, width);
  for (let i = 0; i < ink.values.length; i++) ink.values[i] = 1 - data[4 * i] / 255;
  return fit(cropped(ink, boxOf(ink)));
}

// How many digits there seem to be.
function countDrawn(strokes) {
  const groups = [];
  for (const box of strokes.map((stroke) => boundsOf([stroke])).sort((a, b) => a.left - b.left)) {
    const last = groups.at(-1);
    if (last && box.left - last.right <= DRAWN.apart * Math.max(last.bottom - last.top, box.height))
      Object.assign(last, { right: Math.max(last.right, box.right), top: Math.min(last.top, box.top), bottom: Math.max(last.bottom, box.bottom) });
    else groups.push({ ...box });
  }
  const heights = groups.map((group) => group.bottom - group.top), tallest = Math.max(...heights);
  return heights.filter((height) => height >= DRAWN.tall * tallest).length;
}
