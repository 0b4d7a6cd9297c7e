// What the network makes of 784 pixels: deskewing.py, directions.py, `forward` and `forward_int8` of reference.py, number for number.
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

// The specification is directions.py: how much edge of 16 directions is in each of 7 by 7 cells, of pixels (784,).
const UNIT_X = [64, 59, 45, 24, 0, -24, -45, -59, -64, -59, -45, -24, 0, 24, 45, 59];
const UNIT_Y = UNIT_X.map((_, k) => UNIT_X[(k + 12) % 16]);

function described(pixels) {
  const at = (column, row) => (column >= 0 && column < SIDE && row >= 0 && row < SIDE ? pixels[row * SIDE + column] : 0);
  const share = (place, cell) => Math.max(0, 8 - Math.abs(2 * place - 8 * cell - 3)), sums = new Int32Array(pixels.length);
  pixels.forEach((_, i) => {
    const column = i % SIDE, row = Math.floor(i / SIDE);
    let x = 0, y = 0;
    for (const side of [-1, 0, 1]) {
      x += (2 - Math.abs(side)) * (at(column + 1, row + side) - at(column - 1, row + side));
      y += (2 - Math.abs(side)) * (at(column + side, row + 1) - at(column + side, row - 1));
    }
    for (let k = 0; k < 16 && (x || y); k++) {
      const before = (k + 15) % 16, behind = (k + 1) % 16;
      const part = Math.min(UNIT_X[before] * y - UNIT_Y[before] * x, UNIT_Y[behind] * x - UNIT_X[behind] * y);
      for (let cell = 0; cell < 49 && part > 0; cell++) sums[16 * cell + k] += part * share(column, cell % 7) * share(row, Math.floor(cell / 7));
    }
  });
  return Uint8Array.from(sums, (total) => {
    const root = Math.floor(Math.sqrt(total >> 7));
    return root < 16 ? 0 : Math.min(root, 255);
  });
}

// Pixels (784,) as the model sees them, but still a picture.
function upright(model, pixels) {
  return model.preprocessing === "raw" ? pixels : deskewed(pixels);
}

// Pixels (784,) as the model sees them.
function prepared(model, pixels) {
  return model.preprocessing === "directions" ? described(deskewed(pixels)) : upright(model, pixels);
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
