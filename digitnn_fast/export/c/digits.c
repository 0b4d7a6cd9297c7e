/* Handwritten digits: @about@
 * Made by digitnn-fast @version@. What this computes, to the last bit, is said in Python by the package's modules
 * `reference` (forward_int8, softmax_uint8), `deskewing`, `directions` and `pooling`. The code is below the weights.
 *
 * Few pixels of an image are not black. They are listed, and whenever the list is full, level * W1[pixel] is added to
 * the hidden units: a block of them at a time, whose sums stay in registers meanwhile.
 */
#include "digits.h"

#if DIGITS_EXPORT != @set@
#error "digits.h and digits.c are of two exports: an export was cut short, run it again"
#endif

@preprocessings@
/* Whether the processor multiplies; if not, additions do. */
#ifndef DIGITS_MULTIPLIER
#if (defined(__riscv) && !defined(__riscv_mul)) || (defined(__AVR__) && !defined(__AVR_HAVE_MUL__))
#define DIGITS_MULTIPLIER 0
#else
#define DIGITS_MULTIPLIER 1
#endif
#endif

#define BITS @bits@ /* of a weight in W1: 8, 4 or 2 */
#define HIDDEN @hidden@ /* units, a multiple of BLOCK */
#define SHIFT @shift@ /* of the hidden units' sums, after which they fit in 16 bits */

#if -1 >> 1 != -1
#error "shifts to the right have to keep the sign"
#endif

#define SIDE 28
#define TOP @top@ /* W1 has rows for the pixels in this rectangle; those of the others are 0 */
#define BOTTOM @bottom@
#define LEFT @left@
#define RIGHT @right@

#define BLOCK @block@  /* units that are added up together */
#if BITS == 8
typedef int8_t packed; /* a weight */
#define READ_PACKED(place) ((int8_t)DIGITS_READ_8(place))
#define STEP 1
#define OFFSET 0
#else
/* Codes of weights, several in a word: a weight is STEP * code - OFFSET. Multiplied by a level, two of them at a time
 * are the halves of a word: no list is so long that a half could overflow, 16 * 255 * 14 < 65536. */
#if BITS == 2 && BLOCK == 4
typedef uint8_t packed; /* its half bytes are the halves */
#define READ_PACKED(place) ((uint8_t)DIGITS_READ_8(place))
#define HALVES(word) (((uint32_t)(word) & 0xfu) | ((uint32_t)(word) & 0xf0u) << 12)
#elif BITS == 2 && BLOCK == 8
typedef uint16_t packed; /* its bytes are the halves */
#define READ_PACKED(place) ((uint16_t)DIGITS_READ_16(place))
#define HALVES(word) (((uint32_t)(word) & 0xffu) | ((uint32_t)(word) & 0xff00u) << 8)
#else
typedef uint32_t packed;
#define READ_PACKED(place) ((uint32_t)DIGITS_READ_32(place))
#define HALVES(word) (word)
#endif
#define STEP (4 / BITS)
#define OFFSET (BITS == 4 ? 7 : 3)
#endif
#define PER_PACKED (8 * (int32_t)sizeof(packed) / BITS)
#define ROW (HIDDEN / PER_PACKED) /* of one pixel in W1 */
#define LISTED @listed@                 /* pixels in a full list */

#if defined(__AVR__) && (BOTTOM - TOP) * (RIGHT - LEFT) * HIDDEN / 8 * BITS > 32767
#error "an AVR takes at most 32,767 bytes of weights: export fewer bits, inputs or hidden units"
#endif

static DIGITS_STORED packed W1[(BOTTOM - TOP) * (RIGHT - LEFT) * ROW] = {
@W1@
};

static DIGITS_STORED int32_t b1[HIDDEN] = {
@b1@
};

static DIGITS_STORED int16_t W2[HIDDEN * DIGITS_CLASSES] = {
@W2@
};

static DIGITS_STORED int32_t b2[DIGITS_CLASSES] = {
@b2@
};

static DIGITS_STORED uint16_t powers[64] = { /* 32768 / 2**(k / 64) */
@powers@
};

uint32_t digits_checksum(void)
{
    uint32_t sum = 0, i;
#define TAKE_IN(array, read) \
    for (i = 0; i < sizeof array / sizeof array[0]; i++) { \
        const int32_t number = (int32_t)read(array + i);   \
        sum = (sum + (uint32_t)number) * 31u;              \
    }
    TAKE_IN(W1, READ_PACKED)
    TAKE_IN(b1, DIGITS_READ_32)
    TAKE_IN(W2, (int16_t)DIGITS_READ_16)
    TAKE_IN(b2, DIGITS_READ_32)
    TAKE_IN(powers, DIGITS_READ_16)
    return sum;
}

/* Who gives an image's rows. */
typedef struct {
    digits_row row;
    void *context;
} picture;

static const uint8_t *row_of(const picture *image, int32_t y)
{
    return image->row(image->context, (uint8_t)y);
}

/* count * value; the count is not negative, and a small one is quick without a multiplier. */
static int32_t times(int32_t count, int32_t value)
{
#if DIGITS_MULTIPLIER
    return count * value;
#else
    uint32_t product = 0, doubled = (uint32_t)value;
    for (; count > 0; count >>= 1, doubled += doubled)
        if (count & 1) product += doubled;
    return (int32_t)product;
#endif
}

@first_layer@
uint8_t digits_logits_rows(digits_row row, void *context, int32_t logits[DIGITS_CLASSES])
{
    const picture image = {row, context};
    int32_t sums[HIDDEN];
    const int32_t extra = OFFSET * first_layer(&image, sums);
    const int16_t *w = W2;
    int32_t unit;
    uint8_t k, best = 0;
    for (k = 0; k < DIGITS_CLASSES; k++) ((volatile int32_t *)logits)[k] = (int32_t)DIGITS_READ_32(b2 + k); /* no memcpy */
    for (unit = 0; unit < HIDDEN; unit++, w += DIGITS_CLASSES) {
        const int32_t sum = (int32_t)DIGITS_READ_32(b1 + unit) + STEP * sums[unit] - extra, hidden = sum >> SHIFT;
        if (sum <= 0) continue;
        for (k = 0; k < DIGITS_CLASSES; k++) logits[k] += times(hidden, (int16_t)DIGITS_READ_16(w + k));
    }
    for (k = 1; k < DIGITS_CLASSES; k++)
        if (logits[k] > logits[best]) best = k;
    return best;
}

static const uint8_t *row_in_memory(void *context, uint8_t y)
{
    return (const uint8_t *)context + SIDE * y;
}

uint8_t digits_logits(const uint8_t image[DIGITS_PIXELS], int32_t logits[DIGITS_CLASSES])
{
    return digits_logits_rows(row_in_memory, (void *)image, logits);
}

uint8_t digits_predict_rows(digits_row row, void *context)
{
    int32_t logits[DIGITS_CLASSES];
    return digits_logits_rows(row, context, logits);
}

uint8_t digits_predict(const uint8_t image[DIGITS_PIXELS])
{
    return digits_predict_rows(row_in_memory, (void *)image);
}

void digits_probabilities(const int32_t logits[DIGITS_CLASSES], uint8_t probabilities[DIGITS_CLASSES])
{
    uint32_t shares[DIGITS_CLASSES], total = 0;
    int32_t highest = logits[0];
    uint8_t k;
    for (k = 1; k < DIGITS_CLASSES; k++)
        if (logits[k] > highest) highest = logits[k];
    for (k = 0; k < DIGITS_CLASSES; k++) {
        /* How far below the highest it is, in 1/64 powers of two. */
        const uint64_t below = (uint64_t)((uint32_t)highest - (uint32_t)logits[k]) * @factor@u >> @factor_shift@;
        shares[k] = below < 64 * 16 ? (uint32_t)DIGITS_READ_16(powers + (below & 63)) >> (below >> 6) : 0;
        total += shares[k];
    }
    for (k = 0; k < DIGITS_CLASSES; k++) probabilities[k] = (uint8_t)((shares[k] * 255 + total / 2) / total);
}
