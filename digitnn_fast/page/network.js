// What the network makes of 784 pixels, number for number as in Python: deskewing.py, directions.py, pooling.py, and in
// reference.py `forward` and `forward_int8`.
"use strict";

const SIDE = 28, PIXELS = 784, CLASSES = 10;

// The model, whose arrays are Base64 of little-endian numbers: {preprocessing, kinds: {W1: "Float32", ...}, W1, ...}.
function decoded({ kinds, ...model }) {
  for (const [name, kind] of Object.entries(kinds)) {
    const bytes = Uint8Array.from(atob(model[name]), (character) => character.charCodeAt(0));
    const view = new DataView(bytes.buffer), array = globalThis[`${kind}Array`], width = array.BYTES_PER_ELEMENT;
    model[name] = array.from({ length: bytes.length / width }, (_, i) => view[`get${kind}`](width * i, true));
  }
  return model;
}

// Numerator / denominator to the nearest integer, halves up, for integers below 2^53; 0 where the denominator is 0.
function divide(numerator, denominator) {
  const whole = 2 * Math.max(denominator, 1), doubled = 2 * numerator + whole / 2;
  const guess = Math.floor(doubled / whole), rest = doubled - guess * whole; // the guess may be one off
  return guess + (rest < 0 ? -1 : rest >= whole ? 1 : 0);
}

// Pixels (784,) with the slant taken out and the centre of mass in the middle.
function deskewed(pixels) {
  let m00 = 0, m10 = 0, m01 = 0, m11 = 0, m02 = 0;
  for (let i = 0; i < PIXELS; i++) {
    const x = i % SIDE - 14, y = Math.floor(i / SIDE) - 14, level = pixels[i];
    m00 += level; m10 += level * x; m01 += level * y; m11 += level * x * y; m02 += level * y * y;
  }
  const meanX = divide(256 * m10, m00), meanY = divide(256 * m01, m00);
  const slant = Math.max(-256, Math.min(256, divide(256 * (m00 * m11 - m10 * m01), m00 * m02 - m01 * m01)));
  const upright = new Uint8Array(PIXELS);
  for (let i = 0; i < PIXELS; i++) {
    const row = Math.floor(i / SIDE) + (meanY + 256 >> 8);
    if (row < 0 || row >= SIDE) continue;
    const slide = meanX + 128 + (slant * (256 * (row - 14) - meanY) + 128 >> 8), share = slide & 255;
    const at = (column) => (column >= 0 && column < SIDE ? pixels[row * SIDE + column] : 0);
    const column = (slide >> 8) + i % SIDE;
    upright[i] = at(column) * (256 - share) + at(column + 1) * share + 128 >> 8;
  }
  return upright;
}

// Edges (784,) of pixels (784,): value 16 * cell + direction, for 7 by 7 cells. The gradient (x, y) of a pixel is split
// between the two directions that enclose it, and these parts between the four cells around it.
function described(pixels) {
  const unit = [64, 59, 45, 24, 0, -24, -45, -59, -64, -59, -45, -24, 0, 24, 45, 59]; // 64 * cosine
  const cross = (k, x, y) => unit[k & 15] * y - unit[k - 4 & 15] * x;
  const wide = SIDE + 2, level = new Uint8Array(wide * wide); // with paper around
  for (let i = 0; i < SIDE; i++) level.set(pixels.subarray(SIDE * i, SIDE * (i + 1)), wide * (i + 1) + 1);
  const three = (at, step) => level[at - step] + 2 * level[at] + level[at + step];
  const sums = new Int32Array(9 * 9 * 16); // a cell more on each side, which nobody reads
  for (let row = 0; row < SIDE; row++)
    for (let column = 0; column < SIDE; column++) {
      const at = wide * (row + 1) + column + 1;
      const x = three(at + 1, wide) - three(at - 1, wide), y = three(at + wide, 1) - three(at - wide, 1);
      if (!x && !y) continue;
      const cell = 9 * (row + 2 >> 2) + (column + 2 >> 2);
      const lower = 2 * (row + 2 & 3) + 1, right = 2 * (column + 2 & 3) + 1; // the share of the cells there, of 8
      for (let k = 0; k < 16; k++) {
        const part = Math.min(cross(k - 1, x, y), -cross(k + 1, x, y));
        if (part <= 0) continue;
        sums[16 * cell + k] += part * (8 - lower) * (8 - right);
        sums[16 * (cell + 1) + k] += part * (8 - lower) * right;
        sums[16 * (cell + 9) + k] += part * lower * (8 - right);
        sums[16 * (cell + 10) + k] += part * lower * right;
      }
    }
  return Uint8Array.from({ length: PIXELS }, (_, i) => {
    const cell = i >> 4, sum = sums[16 * (9 * Math.floor(cell / 7) + cell % 7 + 10) + i % 16];
    const root = Math.floor(Math.sqrt((sum >> 7) + 0.5)); // + 0.5: also if the root is a little off
    return root < 16 ? 0 : Math.min(root, 255);
  });
}

// The middle 24 by 24 of pixels (784,) as 16 by 16, in the middle: three become two, along both axes.
function pooled(pixels) {
  const small = new Uint8Array(PIXELS), first = (k) => 2 + 3 * (k >> 1) + (k & 1);
  for (let row = 0; row < 16; row++)
    for (let column = 0; column < 16; column++) {
      const at = SIDE * first(row) + first(column), lower = 1 + (row & 1), right = 1 + (column & 1); // thirds
      const two = (left) => (3 - right) * pixels[left] + right * pixels[left + 1];
      small[SIDE * (row + 6) + column + 6] = Math.floor(((3 - lower) * two(at) + lower * two(at + SIDE) + 4) / 9);
    }
  return small;
}

// Of each preprocessing the picture that it makes of pixels (784,), and what the network sees of that picture.
const same = (pixels) => pixels;
const PREPROCESSINGS = {
  raw: [same, same], deskewed: [deskewed, same], directions: [deskewed, described], pooled: [deskewed, pooled],
};

// The picture (784,) that the model looks at.
function picture(model, pixels) {
  return PREPROCESSINGS[model.preprocessing][0](pixels);
}

// Pixels (784,) as the model sees them.
function prepared(model, pixels) {
  return PREPROCESSINGS[model.preprocessing][1](picture(model, pixels));
}

// Sums (n,) of start (n,) and of the rows of weights (m, n) times inputs (m,) * unit; an input of 0 costs nothing.
function affine(inputs, weights, start, unit) {
  const sums = new Float64Array(start), width = sums.length;
  for (let i = 0; i < inputs.length; i++) {
    if (!inputs[i]) continue;
    const value = inputs[i] * unit, row = i * width;
    for (let j = 0; j < width; j++) sums[j] += value * weights[row + j];
  }
  return sums;
}

// Probabilities (10,) of logits (10,).
function softmax(logits) {
  const highest = Math.max(...logits), powers = Array.from(logits, (logit) => Math.exp(logit - highest));
  const total = powers.reduce((sum, power) => sum + power);
  return powers.map((power) => power / total);
}

// Logits (10,) of prepared pixels (784,). Those of a quantised model are integers, and no sum leaves 32 bits.
function logits({ W1, b1, W2, b2, shift }, pixels) {
  const quantised = shift !== undefined, hidden = affine(pixels, W1, b1, quantised ? 1 : 1 / 255);
  for (let h = 0; h < hidden.length; h++) {
    hidden[h] = Math.max(hidden[h], 0);
    if (quantised) hidden[h] >>= shift;
  }
  return affine(hidden, W2, b2, 1);
}

// Probabilities (10,) of prepared pixels (784,).
function forward(model, pixels) {
  return softmax(logits(model, pixels).map((logit) => logit * (model.scale ?? 1)));
}
