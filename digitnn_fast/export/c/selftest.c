/* Self-test of digits.c: digits whose answers are known, and pictures of noise, by a checksum of all their logits;
 * and a checksum of the stored numbers, which finds any single one that is wrong.
 * On a computer: cc digits.c selftest.c && ./a.out; on a board, with DIGITS_NO_MAIN defined, call digits_selftest(). Both
 * give 0 if all is well.
 * Made by digitnn-fast @version@.
 */
#include "digits.h"

#if DIGITS_EXPORT != @set@
#error "digits.h and selftest.c are of two exports: an export was cut short, run it again"
#endif

#define DIGITS @digits@
#define NOISE @noise@

static DIGITS_STORED uint8_t images[DIGITS][DIGITS_PIXELS] = {
@images@
};

static DIGITS_STORED uint8_t labels[DIGITS] = {@labels@};

static DIGITS_STORED int32_t wanted[DIGITS][DIGITS_CLASSES] = {
@logits@
};

static DIGITS_STORED uint8_t probable[DIGITS][DIGITS_CLASSES] = {
@probabilities@
};

uint16_t digits_selftest(void)
{
    uint8_t image[DIGITS_PIXELS], probabilities[DIGITS_CLASSES], k;
    int32_t logits[DIGITS_CLASSES];
    uint32_t random = 1, checksum = 0;
    uint16_t wrong = 0, number, pixel;
    for (number = 0; number < DIGITS; number++) {
        for (pixel = 0; pixel < DIGITS_PIXELS; pixel++)
            ((volatile uint8_t *)image)[pixel] = DIGITS_READ_8(images[number] + pixel); /* no memcpy */
        wrong = (uint16_t)(wrong + (digits_logits(image, logits) != DIGITS_READ_8(labels + number)));
        digits_probabilities(logits, probabilities);
        for (k = 0; k < DIGITS_CLASSES; k++) {
            wrong = (uint16_t)(wrong + (logits[k] != (int32_t)DIGITS_READ_32(wanted[number] + k)));
            wrong = (uint16_t)(wrong + (probabilities[k] != DIGITS_READ_8(probable[number] + k)));
        }
    }
    for (number = 0; number < NOISE; number++) { /* from black, through ever denser noise, to nearly white */
        for (pixel = 0; pixel < DIGITS_PIXELS; pixel++) {
            random = random * 1664525u + 1013904223u;
            image[pixel] = (uint8_t)((random >> 24) * NOISE < number * 256u ? random >> 16 & 255u : 0u);
        }
        (void)digits_logits(image, logits);
        for (k = 0; k < DIGITS_CLASSES; k++) checksum = checksum * 31u + (uint32_t)logits[k];
    }
    return (uint16_t)(wrong + (checksum != @checksum@u) + (digits_checksum() != @stored@u));
}

#if !defined(DIGITS_NO_MAIN) && !defined(ARDUINO)
int main(void)
{
    return digits_selftest() != 0;
}
#endif
