/** n images of 784 grey levels each, 0 (paper) to 255 (ink), row after row, image after image. */
export type Images = Uint8Array | Uint8ClampedArray;

/** The digits of n images. Throws TypeError or RangeError for anything but n times 784 bytes. */
export function predict(images: Images): Uint8Array;

/** The probabilities of n images, ten of each, image after image; errors as above. */
export function probabilities(images: Images): Float32Array;

/** What softmax makes probabilities of, ten of each image; errors as above. */
export function logits(images: Images): /*logits*/;
