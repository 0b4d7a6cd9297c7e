// Handwritten digits in WebAssembly: an ES module with the network inside, for browsers, node and bundlers.
// /*about*/
//
//   import { predict, probabilities } from "./digits-wasm.mjs";
//   predict(pixels)[0];  // 784 bytes, 0 (paper) to 255 (ink), row after row
const PIXELS = 784, CLASSES = 10, AT_ONCE = 64, SCALE = /*scale*/;
const code = Uint8Array.from(atob("/*wasm*/"), (character) => character.charCodeAt(0));
const { memory, images: imagesAt, logits: logitsAt, recognise } = (await WebAssembly.instantiate(code)).instance.exports;
const taken = new Uint8Array(memory.buffer, imagesAt(), AT_ONCE * PIXELS);
const given = new Int32Array(memory.buffer, logitsAt(), AT_ONCE * CLASSES);

/*check.js*/
export function logits(images) {
  check(images);
  const result = new Int32Array(CLASSES * images.length / PIXELS);
  for (let first = 0; PIXELS * first < images.length; first += AT_ONCE) {
    const some = images.subarray(PIXELS * first, PIXELS * (first + AT_ONCE)), count = some.length / PIXELS;
    taken.set(some);
    recognise(count);
    result.set(given.subarray(0, CLASSES * count), CLASSES * first);
  }
  return result;
}

export function probabilities(images) {
  const all = logits(images), result = new Float32Array(all.length);
  for (let first = 0; first < all.length; first += CLASSES) {
    const own = all.subarray(first, first + CLASSES), highest = Math.max(...own);
    const powers = Array.from(own, (logit) => Math.exp((logit - highest) * SCALE));
    const total = powers.reduce((sum, power) => sum + power);
    result.set(powers.map((power) => power / total), first);
  }
  return result;
}

export function predict(images) {
  const all = logits(images);
  return Uint8Array.from({ length: all.length / CLASSES }, (_, index) => {
    const own = all.subarray(CLASSES * index, CLASSES * (index + 1));
    return own.indexOf(Math.max(...own)); // the lowest digit of a tie
  });
}
