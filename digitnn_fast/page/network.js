// What the network makes of 784 pixels, number for number as in Python: the preprocessing's specification, and
// `reference.forward` and `reference.forward_int8`.
"use strict";

const SIDE = 28, PIXELS = 784, CLASSES = 10;

// The finite float16 at a place of a view, which has no method for it in older browsers.
function float16(place, view) {
  const bits = view.getUint16(place, true), exponent = bits >> 10 & 31, share = (bits & 1023) / 1024;
  return (bits >> 15 ? -1 : 1) * (exponent ? 2 ** (exponent - 15) * (1 + share) : 2 ** -14 * share);
}

// The model, whose arrays are Base64 of little-endian numbers: {preprocessing, kinds: {W1: "Float32", ...}, W1, ...}.
function decoded({ kinds, ...model }) {
  for (const [name, kind] of Object.entries(kinds)) {
    const bytes = Uint8Array.from(atob(model[name]), (character) => character.charCodeAt(0));
    const view = new DataView(bytes.buffer), half = kind === "Float16", array = half ? Float32Array : globalThis[`${kind}Array`];
    const width = half ? 2 : array.BYTES_PER_ELEMENT, number = half ? float16 : (place) => view[`get${kind}`](place, true);
    model[name] = array.from({ length: bytes.length / width }, (_, i) => number(width * i, view));
  }
  return model;
}

/*preprocessing*/
// The picture (784,) that the model looks at.
function picture(model, pixels) {
  return PREPROCESSINGS[model.preprocessing][0](pixels);
}

// Pixels (784,) as the model sees them.
function prepared(model, pixels) {
  return PREPROCESSINGS[model.preprocessing][1](picture(model, pixels));
}

// Sums (n,) of start (n,) and of the rows of weights (m, n) times inputs (m,) * unit: four rows at a time of the inputs
// that are not 0, in integers if the weights are. Past the last one come rows times 0.
function affine(inputs, weights, start, unit) {
  const width = start.length, sums = new (weights instanceof Float32Array ? Float64Array : Int32Array)(start);
  const rows = new Int32Array(inputs.length + 4), values = new sums.constructor(inputs.length + 4);
  let count = 0;
  for (let i = 0; i < inputs.length; i++) if (inputs[i]) rows[count] = i * width, values[count++] = inputs[i] * unit;
  for (let n = 0; n < count; n += 4) {
    const a = values[n], b = values[n + 1], c = values[n + 2], d = values[n + 3];
    const p = rows[n], q = rows[n + 1], r = rows[n + 2], s = rows[n + 3];
    for (let j = 0; j < width; j++)
      sums[j] += a * weights[p + j] + b * weights[q + j] + c * weights[r + j] + d * weights[s + j];
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
  return softmax(Float64Array.from(logits(model, pixels), (logit) => logit * (model.scale ?? 1)));
}
