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
#define LISTED 16                 /* pixels in a full list */

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

#define EACH_OF_2(DO) DO(0) DO(1)
#define EACH_OF_4(DO) EACH_OF_2(DO) DO(2) DO(3)
#define EACH_OF_8(DO) EACH_OF_4(DO) DO(4) DO(5) DO(6) DO(7)

#if BITS == 2 && !DIGITS_MULTIPLIER
/* A level's products with all pairs of codes, one in each half of a word. */
static void multiply(uint32_t level, uint32_t products[16])
{
    const uint32_t high = level << 16;
    uint32_t low = 0, *product;
    for (product = products; product < products + 4; product++, low += level) {
        product[0] = low;
        product[4] = low + high;
        product[8] = low + 2 * high;
        product[12] = low + 3 * high;
    }
}
#endif

/* sums += levels * W1 of the listed pixels: each is its level + 256 * (where its weights are), and 0 ends them. */
static void add_up(const uint32_t *list, int32_t *sums)
{
    const packed *weights;
    for (weights = W1; weights < W1 + ROW; weights += BLOCK / PER_PACKED) {
        const uint32_t *pixel;
#if BITS == 8
#define EACH_SUM EACH_OF_8
#define BEGIN(i) int32_t s##i = sums[i];
#define ADD(i) s##i += times(level, READ_PACKED(w + i));
#define END(i) sums[i] = s##i;
        EACH_SUM(BEGIN)
        for (pixel = list; *pixel != 0; pixel++) {
            const int32_t level = (int32_t)(*pixel & 255u);
            const packed *const w = weights + (*pixel >> 8);
            EACH_SUM(ADD)
        }
#else
#if BLOCK == 4
#define EACH_SUM EACH_OF_2
#elif BLOCK == 8
#define EACH_SUM EACH_OF_4
#else
#define EACH_SUM EACH_OF_8
#endif
#define BEGIN(i) uint32_t s##i = 0;
#if BITS == 4
#define ADD(i) s##i += (uint32_t)times(level, (int32_t)((i < 4 ? word : next) >> (4 * (i % 4)) & 0x000f000fu));
#elif DIGITS_MULTIPLIER
#define ADD(i) s##i += (uint32_t)level * (word >> (2 * i) & 0x00030003u);
#else
#define ADD(i) s##i += products[(i % 2 ? odd : even) >> (i / 2 * 4) & 15u];
#endif
#define END(i)                            \
    sums[i] += (int32_t)(s##i & 0xffffu); \
    sums[BLOCK / 2 + i] += (int32_t)(s##i >> 16);
        EACH_SUM(BEGIN)
        for (pixel = list; *pixel != 0; pixel++) {
            const int32_t level = (int32_t)(*pixel & 255u);
            const packed *const w = weights + (*pixel >> 8);
            const uint32_t word = HALVES(READ_PACKED(w));
#if BITS == 4 && BLOCK == 16
            const uint32_t next = READ_PACKED(w + 1);
#elif BITS == 4
            const uint32_t next = 0;
#elif !DIGITS_MULTIPLIER
            /* The two codes that belong together, side by side. */
            uint32_t even = word & 0x33333333u, odd = word >> 2 & 0x33333333u, products[16];
            even |= even >> 14;
            odd |= odd >> 14;
            multiply((uint32_t)level, products);
#endif
            EACH_SUM(ADD)
        }
#endif
        EACH_SUM(END)
        sums += BLOCK;
    }
}

#if !(@viewed@)
/* Whether four pixels are all black. */
static int32_t black(const uint8_t *four)
{
    return (four[0] | four[1] | four[2] | four[3]) == 0;
}
#endif
@view@
/* sums = image * codes of W1; returns the sum of all levels. */
static int32_t first_layer(const picture *image, int32_t *sums)
{
    uint32_t list[LISTED + 1], *end = list;
    volatile int32_t *const cleared = sums; /* else compilers call memset, which is libc's */
    int32_t total = 0, x, y, first, last;
#if DESKEWED
    stance found;
    look(image, &found);
#elif @viewed@
    view seen;
    begin(&seen, image);
#endif
    for (x = 0; x < HIDDEN; x++) cleared[x] = 0;
    for (y = TOP; y < BOTTOM; y++) {
        const uint32_t place = (uint32_t)((y - TOP) * (RIGHT - LEFT) - LEFT) * (256 * ROW);
#if DESKEWED
        const int32_t source = y + found.lowered;
        if (source < 0 || source >= SIDE) continue;
        const int32_t slide = found.start + times(source, found.slant), moved = slide >> 8, right = slide & 255;
        const uint8_t *const row = row_of(image, source);
        int32_t here, next;
#elif @viewed@
        const uint8_t *const row = values_of(&seen, y);
#else
        const uint8_t *const row = row_of(image, y);
#endif
#if @viewed@
        first = LEFT;
        last = RIGHT;
#else
        for (first = 0; first < SIDE && black(row + first); first += 4) continue;
        for (last = SIDE; last > first && black(row + last - 4); last -= 4) continue;
#if DESKEWED
        first -= moved + 1;
        last -= moved;
#endif
        if (first < LEFT) first = LEFT;
        if (last > RIGHT) last = RIGHT;
#endif
#if DESKEWED
        next = first + moved >= 0 && first < last ? row[first + moved] : 0;
#endif
        for (x = first; x < last; x++) {
#if DESKEWED
            int32_t level;
            here = next;
            next = x + moved + 1 < SIDE ? row[x + moved + 1] : 0;
            level = between(here, next, right);
#else
            const int32_t level = row[x];
#endif
            if (level == 0) continue;
            total += level;
            *end++ = place + (uint32_t)x * (256 * ROW) + (uint32_t)level;
            if (end == list + LISTED) {
                *end = 0;
                add_up(list, sums);
                end = list;
            }
        }
    }
    *end = 0;
    add_up(list, sums);
    return total;
}

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
