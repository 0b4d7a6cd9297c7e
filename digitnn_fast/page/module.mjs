// Handwritten digits: an ES module with the network inside, for browsers, node and bundlers; it depends on nothing.
// /*about*/
//
//   import { predict, probabilities } from "./digits.mjs";
//   predict(pixels)[0];  // 784 bytes, 0 (paper) to 255 (ink), row after row
//   predict(preprocess(context.getImageData(0, 0, width, height)));  // a canvas of any size, unless it is blank: null
/*network.js*/
/*digits.js*/
/*parts.js*/
/*lines.js*/
/*shadows.js*/
/*polarity.js*/
/*close.js*/
/*fit.js*/
const MODEL = decoded(/*model*/);

/*check.js*/
// Ten numbers of each image, image after image.
function tenOfEach(images, numbers, Kind) {
  check(images);
  const count = images.length / PIXELS, result = new Kind(CLASSES * count);
  for (let i = 0; i < count; i++) {
    const pixels = prepared(MODEL, images.subarray(PIXELS * i, PIXELS * (i + 1)));
    result.set(numbers(MODEL, pixels), CLASSES * i);
  }
  return result;
}

function imageLogits(images) {
  return tenOfEach(images, logits, /*logits*/);
}

export function probabilities(images) {
  return tenOfEach(images, forward, Float32Array);
}

export function predict(images) {
  const all = imageLogits(images);
  return Uint8Array.from({ length: all.length / CLASSES }, (_, index) => {
    const own = all.subarray(CLASSES * index, CLASSES * (index + 1));
    return own.indexOf(Math.max(...own)); // the lowest digit of a tie
  });
}

function canvasPixels(imageData) {
  const { width, height, data } = imageData ?? {};
  if (!(data instanceof Uint8ClampedArray) || data.length !== 4 * width * height || !data.length)
    throw new TypeError("preprocess takes the ImageData of a canvas: { width, height, data }");
  return preprocess(onPaper(reduced(imageData)));
}

export { imageLogits as logits, canvasPixels as preprocess };
