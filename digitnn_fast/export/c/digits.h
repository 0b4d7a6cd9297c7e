/* Handwritten digits: @about@
 * Made by digitnn-fast @version@. C99 and C++, no heap, no libc, nothing static that is written: safe in any thread.
 */
#ifndef DIGITS_H
#define DIGITS_H

#include <stdint.h>

/* What is stored lies in flash, which an AVR reads by instructions of its own, and an ESP8266 only in whole words. */
#if defined(__AVR__) || defined(ARDUINO_ARCH_ESP8266)
#include <avr/pgmspace.h>
#define DIGITS_STORED const PROGMEM
#define DIGITS_READ_8(place) pgm_read_byte(place)
#define DIGITS_READ_16(place) pgm_read_word(place)
#define DIGITS_READ_32(place) pgm_read_dword(place)
#else
#define DIGITS_STORED const
#define DIGITS_READ_8(place) (*(place))
#define DIGITS_READ_16(place) (*(place))
#define DIGITS_READ_32(place) (*(place))
#endif

#define DIGITS_PIXELS 784 /* 28 x 28, row after row: 0 is paper, 255 is ink */
#define DIGITS_CLASSES 10
#define DIGITS_STACK @stack@ /* bytes of it that an answer takes on microcontrollers, about */
#define DIGITS_EXPORT @set@ /* of this export: a file of another one does not compile with this header */

#ifdef __cplusplus
extern "C" {
#endif

/* The digit on an image. */
uint8_t digits_predict(const uint8_t image[DIGITS_PIXELS]);

/* The same, and its logits: the same integers on every machine. */
uint8_t digits_logits(const uint8_t image[DIGITS_PIXELS], int32_t logits[DIGITS_CLASSES]);

/* The same of an image that is never in memory as a whole. `row` is given `context` and y, 0 to 27, and gives that row, 28
 * bytes that stay as they are until it is called again. Rows are asked for from above to below, @passes@.
 */
typedef const uint8_t *(*digits_row)(void *context, uint8_t y);
uint8_t digits_predict_rows(digits_row row, void *context);
uint8_t digits_logits_rows(digits_row row, void *context, int32_t logits[DIGITS_CLASSES]);

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
