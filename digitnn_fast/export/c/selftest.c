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

/* A picture of which a row at a time is in memory, which the smallest boards have no more room for. */
typedef struct {
    uint16_t number;        /* of the picture */
    uint32_t before, after; /* random numbers before its first row, and after the last one that was made */
    uint8_t next;           /* row to make */
    uint8_t levels[28];
} shown;

static const uint8_t *digit_row(void *context, uint8_t y)
{
    shown *const picture = (shown *)context;
    uint8_t x;
    for (x = 0; x < 28; x++)
        ((volatile uint8_t *)picture->levels)[x] = DIGITS_READ_8(images[picture->number] + 28 * y + x); /* no memcpy */
    return picture->levels;
}

static const uint8_t *noise_row(void *context, uint8_t y)
{
    shown *const picture = (shown *)context;
    uint32_t random = picture->after;
    uint8_t x;
    if (y < picture->next) {
        picture->next = 0;
        random = picture->before;
    }
    for (; picture->next <= y; picture->next++)
        for (x = 0; x < 28; x++) {
            random = random * 1664525u + 1013904223u;
            picture->levels[x] = (uint8_t)((random >> 24) * NOISE < picture->number * 256u ? random >> 16 & 255u : 0u);
        }
    picture->after = random;
    return picture->levels;
}

uint16_t digits_selftest(void)
{
    uint8_t probabilities[DIGITS_CLASSES], k;
    int32_t logits[DIGITS_CLASSES];
    uint32_t checksum = 0;
    uint16_t wrong = 0, number;
    shown picture;
    for (number = 0; number < DIGITS; number++) {
        picture.number = number;
        wrong = (uint16_t)(wrong + (digits_logits_rows(digit_row, &picture, logits) != DIGITS_READ_8(labels + number)));
        digits_probabilities(logits, probabilities);
        for (k = 0; k < DIGITS_CLASSES; k++) {
            wrong = (uint16_t)(wrong + (logits[k] != (int32_t)DIGITS_READ_32(wanted[number] + k)));
            wrong = (uint16_t)(wrong + (probabilities[k] != DIGITS_READ_8(probable[number] + k)));
        }
    }
    picture.after = 1;
    for (number = 0; number < NOISE; number++) { /* from black, through ever denser noise, to nearly white */
        picture.number = number;
        picture.before = picture.after;
        picture.next = 0;
        (void)digits_logits_rows(noise_row, &picture, logits);
        (void)noise_row(&picture, 27); /* for those after it are another picture's */
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
