/* Handwritten digits: @about@
 * Made by digitnn-fast @version@. C99 and C++, no heap, no libc, nothing static that is written: safe in any thread.
 */
#ifndef DIGITS_H
#define DIGITS_H

#include <stdint.h>

#if defined(__SIZEOF_INT__) && __SIZEOF_INT__ < 4
#error "digits.c needs an int of 32 bits: AVR and other processors with 16 are not supported"
#endif

#define DIGITS_PIXELS 784 /* 28 x 28, row after row: 0 is paper, 255 is ink */
#define DIGITS_CLASSES 10
#define DIGITS_EXPORT @set@ /* of this export: a file of another one does not compile with this header */

#ifdef __cplusplus
extern "C" {
#endif

/* The digit on an image. */
uint8_t digits_predict(const uint8_t image[DIGITS_PIXELS]);

/* The same, and its logits: the same integers on every machine. */
uint8_t digits_logits(const uint8_t image[DIGITS_PIXELS], int32_t logits[DIGITS_CLASSES]);

/* Probabilities of logits, 255 is certain: the same integers on every machine. */
void digits_probabilities(const int32_t logits[DIGITS_CLASSES], uint8_t probabilities[DIGITS_CLASSES]);

/* Over all stored numbers, which the self-test compares: no single one can change unnoticed. */
uint32_t digits_checksum(void);

/* How many answers of the self-test are wrong, and whether a stored number is; it is in selftest.c. */
uint16_t digits_selftest(void);

#ifdef __cplusplus
}
#endif

#endif
