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

#define EACH_OF_2(DO) DO(0) DO(1)
#define EACH_OF_4(DO) EACH_OF_2(DO) DO(2) DO(3)
#define EACH_OF_8(DO) EACH_OF_4(DO) DO(4) DO(5) DO(6) DO(7)

/* sums += levels * W1 of the listed pixels: each is its level + 256 * (where its weights are), and 0 ends them. */
static void add_up(const uint32_t *list, int32_t *sums)
{
    const packed *weights;
    for (weights = W1; weights < W1 + ROW; weights += BLOCK / PER_PACKED) {
        const uint32_t *pixel;
#if BITS == 8
#define EACH_SUM EACH_OF_8
#define BEGIN(i) int32_t s##i = sums[i];
#define ADD(i) s##i += level * READ_PACKED(w + i);
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
#define ADD(i) s##i += level * ((i < 4 ? word : next) >> (4 * (i % 4)) & 0x000f000fu);
#else
#define ADD(i) s##i += level * (word >> (2 * i) & 0x00030003u);
#endif
#define END(i)                            \
    sums[i] += (int32_t)(s##i & 0xffffu); \
    sums[BLOCK / 2 + i] += (int32_t)(s##i >> 16);
        EACH_SUM(BEGIN)
        for (pixel = list; *pixel != 0; pixel++) {
            const uint32_t level = *pixel & 255u;
            const packed *const w = weights + (*pixel >> 8);
            const uint32_t word = HALVES(READ_PACKED(w));
#if BITS == 4 && BLOCK == 16
            const uint32_t next = READ_PACKED(w + 1);
#elif BITS == 4
            const uint32_t next = 0;
#endif
            EACH_SUM(ADD)
        }
#endif
        EACH_SUM(END)
        sums += BLOCK;
    }
}

/* Whether four pixels are all black. */
static int32_t black(const uint8_t *four)
{
    return (four[0] | four[1] | four[2] | four[3]) == 0;
}

#if @stands@
/* Where a digit stands and how it leans, in 1/256 pixel. */
typedef struct {
    int32_t mean_x, mean_y, slant;
} stance;

/* Numerator / denominator to the nearest integer, halves up; 0 where the latter is 0. It is from -limit to limit - 1,
 * and they are at most 4.1e8 and 1e9 / limit. Bit by bit: what divides on a processor that can't takes half a kilobyte.
 */
static int32_t share(int32_t numerator, int32_t denominator, int32_t limit)
{
    const int32_t twice = 2 * numerator + denominator;
    int32_t quotient = -limit, part = 2 * limit * denominator, taken = -part;
    if (denominator == 0) return 0;
    for (; limit > 0; limit >>= 1, part >>= 1) {
        if (taken + part > twice) continue;
        taken += part;
        quotient += limit;
    }
    return quotient;
}

static void look(const uint8_t *image, stance *found)
{
    int32_t m00 = 0, m10 = 0, m01 = 0, m11 = 0, m02 = 0, x, y, near_x, near_y, low;
    for (y = -SIDE / 2; y < SIDE / 2; y++) {
        int32_t total = 0, moment = 0, four;
        for (x = 0; x < SIDE; x += 4, image += 4) {
            if (black(image)) continue;
            four = (image[0] >> 3) + (image[1] >> 3) + (image[2] >> 3) + (image[3] >> 3);
            total += four;
            moment += four * (x - SIDE / 2) + (image[1] >> 3) + 2 * (image[2] >> 3) + 3 * (image[3] >> 3);
        }
        m00 += total;
        m10 += moment;
        m01 += total * y;
        m11 += moment * y;
        m02 += total * y * y;
    }
    found->mean_x = share(256 * m10, m00, 4096);
    found->mean_y = share(256 * m01, m00, 4096);
    near_x = (found->mean_x + 128) >> 8; /* moments around this pixel do not depend on where the digit stands */
    near_y = (found->mean_y + 128) >> 8;
    low = found->mean_y - 256 * near_y;
    m11 -= near_y * m10;
    m10 -= near_x * m00;
    m02 -= near_y * m01;
    m01 -= near_y * m00;
    m11 -= near_x * m01;
    m02 -= near_y * m01;
    found->slant = share(256 * m11 - m10 * low, (256 * m02 - m01 * low) >> 8, 512);
    if (found->slant > 256) found->slant = 256;
    if (found->slant < -256) found->slant = -256;
}
#endif
@view@
/* sums = image * codes of W1; returns the sum of all levels. */
static int32_t first_layer(const uint8_t *image, int32_t *sums)
{
    uint32_t list[LISTED + 1], *end = list;
    volatile int32_t *const cleared = sums; /* else compilers call memset, which is libc's */
    int32_t total = 0, x, y, first, last;
#if DESKEWED
    stance found;
    int32_t lowered;
    look(image, &found);
    lowered = (found.mean_y + 256) >> 8;
#elif @viewed@
    view seen;
    begin(&seen, image);
#endif
    for (x = 0; x < HIDDEN; x++) cleared[x] = 0;
    for (y = TOP; y < BOTTOM; y++) {
        const uint32_t place = (uint32_t)((y - TOP) * (RIGHT - LEFT) - LEFT) * (256 * ROW);
#if DESKEWED
        const int32_t source = y + lowered; /* the row that this one comes from */
        if (source < 0 || source >= SIDE) continue;
        const int32_t lean = found.slant * (256 * (source - 14) - found.mean_y);
        const int32_t slide = found.mean_x + 128 + ((lean + 128) >> 8), moved = slide >> 8, right = slide & 255;
        const uint8_t *const row = image + source * SIDE;
        int32_t here, next;
#elif @viewed@
        const uint8_t *const row = values_of(&seen, y);
#else
        const uint8_t *const row = image + y * SIDE;
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
            level = here + ((right * (next - here) + 128) >> 8);
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

uint8_t digits_logits(const uint8_t image[DIGITS_PIXELS], int32_t logits[DIGITS_CLASSES])
{
    int32_t sums[HIDDEN];
    const int32_t extra = OFFSET * first_layer(image, sums);
    const int16_t *w = W2;
    int32_t unit;
    uint8_t k, best = 0;
    for (k = 0; k < DIGITS_CLASSES; k++) ((volatile int32_t *)logits)[k] = (int32_t)DIGITS_READ_32(b2 + k); /* no memcpy */
    for (unit = 0; unit < HIDDEN; unit++, w += DIGITS_CLASSES) {
        const int32_t sum = (int32_t)DIGITS_READ_32(b1 + unit) + STEP * sums[unit] - extra, hidden = sum >> SHIFT;
        if (sum <= 0) continue;
        for (k = 0; k < DIGITS_CLASSES; k++) logits[k] += hidden * (int16_t)DIGITS_READ_16(w + k);
    }
    for (k = 1; k < DIGITS_CLASSES; k++)
        if (logits[k] > logits[best]) best = k;
    return best;
}

uint8_t digits_predict(const uint8_t image[DIGITS_PIXELS])
{
    int32_t logits[DIGITS_CLASSES];
    return digits_logits(image, logits);
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
