/* Where a digit stands and how it leans: its row y comes from row y + lowered, which begins `start` + row * slant to the
 * right, in 1/256 pixel.
 */
typedef struct {
    int32_t lowered, start, slant;
} stance;

/* Numerator / denominator to the nearest integer, halves up; 0 where the latter is 0. It is from -limit to limit - 1,
 * and they are at most 4.1e8 and 1e9 / limit. Bit by bit: what divides on a processor that can't takes half a kilobyte.
 * It is called three times, and three copies of it take 160 bytes more.
 */
#ifdef __GNUC__
__attribute__((noinline))
#endif
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

static void look(const picture *image, stance *found)
{
    int32_t m00 = 0, m10 = 0, m01 = 0, m11 = 0, m02 = 0, x, y, mean_x, mean_y, near_x, near_y, low;
    for (y = 0; y < SIDE; y++) {
        const uint8_t *const row = row_of(image, y);
        int32_t total = 0, moment = 0;
        for (x = SIDE - 1; x >= 0; x--) {
            total += row[x] >> 3;
            moment += total; /* which has the level of column x in it x + 1 times in the end */
        }
        m00 += total;
        m10 += moment;
        total = times(y, total);
        m01 += total;
        m11 += times(y, moment);
        m02 += times(y, total);
    }
    mean_x = share(256 * (m10 - 15 * m00), m00, 4096);
    mean_y = share(256 * (m01 - 14 * m00), m00, 4096);
    near_x = ((mean_x + 128) >> 8) + 15; /* moments around this pixel do not depend on where the digit stands */
    near_y = ((mean_y + 128) >> 8) + 14;
    low = mean_y - 256 * (near_y - 14);
    m11 -= near_y * m10;
    m10 -= near_x * m00;
    m02 -= near_y * m01;
    m01 -= near_y * m00;
    m11 -= near_x * m01;
    m02 -= near_y * m01;
    found->slant = share(256 * m11 - m10 * low, (256 * m02 - m01 * low) >> 8, 512);
    if (found->slant > 256) found->slant = 256;
    if (found->slant < -256) found->slant = -256;
    found->lowered = (mean_y + 256) >> 8;
    found->start = mean_x + 128 + ((128 - found->slant * (256 * 14 + mean_y)) >> 8);
}

/* A pixel of an upright row: `right` / 256 of the way from one to the next. */
static int32_t between(int32_t here, int32_t next, int32_t right)
{
    return here == next ? here : here + ((times(right, next - here) + 128) >> 8);
}
