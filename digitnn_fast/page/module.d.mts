/**
 * n images of 784 grey levels each, 0 (paper) to 255 (ink), row after row, image after image.
 * Not a canvas's colours: `preprocess` makes grey levels of these. A Uint8ClampedArray may hold one image alone.
 */
export type Images = Uint8Array | Uint8ClampedArray;

/** What `CanvasRenderingContext2D.getImageData` gives, of any size. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/**
 * The grey levels (784,) of the digit on a canvas, dark on light or light on dark; what is transparent is paper.
 * Null if nothing is drawn there.
 * Throws RangeError if there seem to be four digits or more.
 */
export function preprocess(imageData: Canvas): Uint8Array | null;

/** The digits of n images. Throws TypeError or RangeError for anything but n times 784 grey levels. */
export function predict(images: Images): Uint8Array;

/** The probabilities of n images, ten of each, image after image; errors as above. */
export function probabilities(images: Images): Float32Array;

/** What softmax makes probabilities of, ten of each image; errors as above. */
export function logits(images: Images): /*logits*/;
