/* The edges of the upright digit in cells, of which LINES rows of values are a row with its directions. They are made from
 * above to below, so that two rows of cells and four rows of pixels are all that is kept.
 */
#define FAINT 8                           /* a smaller value is 0 */
#define FIRST (ORIGIN_X / 2 + 1)          /* column of pixels that a cell sees */
#define WIDE ((COLUMNS + 2) * TURNS)      /* a row of cells, with one more at each end that nobody reads */
#define LINES (COLUMNS * TURNS / ACROSS)

typedef struct {
    const picture *image;
    stance found;
    int32_t made;       /* rows of values */
    int32_t row, next;  /* of cells to finish; of pixels to add */
    int32_t lower, low; /* cells below that row of pixels, and how far from those above it, of PITCH */
    uint8_t upright[4][SIDE + 2]; /* row y is upright[(y + 1) % 4], with paper at both ends */
    uint8_t values[COLUMNS * TURNS];
    uint32_t sums[2][WIDE];
} view;

static void begin(view *seen, const picture *image)
{
    volatile uint32_t *sum = seen->sums[0]; /* else compilers call memset, which is libc's */
    int32_t k;
    seen->image = image;
    look(image, &seen->found);
    seen->made = seen->row = seen->lower = 0;
    seen->next = -2; /* for which row -1 is made, and then row 0 */
    seen->low = 2 * seen->next - ORIGIN_Y;
    for (k = 0; k < 2 * WIDE; k++) sum[k] = 0;
}

/* Cross product of direction k, -1 to TURNS / 4 + 1, and (x, y), neither of which is negative. */
static int32_t cross(int32_t k, int32_t x, int32_t y)
{
#if TURNS == 16 /* 16 * cosine, or backwards the sine */
    static const int8_t units[] = {15, 16, 15, 11, 6, 0, -6};
#else
    static const int8_t units[] = {14, 16, 14, 8, 0, -8};
#endif
    return times(y, units[k + 1]) - times(x, units[TURNS / 4 + 1 - k]);
}

/* Add the edges of the next row of pixels to the two rows of cells around it. */
static void add_row(view *seen)
{
    const int32_t y = seen->next++, row = seen->lower, low = seen->low;
    const uint8_t *above = seen->upright[y & 3], *here = seen->upright[(y + 1) & 3], *below = seen->upright[(y + 2) & 3];
    uint32_t *upper = seen->sums[(row + 1) & 1], *lower = seen->sums[row & 1], *const end = upper + WIDE - TURNS;
    const int32_t high = row > 0 ? PITCH - low : 0;
    int32_t x, right = 2 * FIRST - ORIGIN_X;
    straighten(seen->image, &seen->found, y + 1, seen->upright[(y + 2) & 3]);
    seen->low += 2;
    if (seen->low >= PITCH) {
        seen->low -= PITCH;
        seen->lower++;
    }
    if (low < 0) return;
    for (x = FIRST; upper < end; x++) {
        int32_t across = (above[x + 2] + 2 * here[x + 2] + below[x + 2] - above[x] - 2 * here[x] - below[x] + 2) >> 2;
        int32_t down = (below[x] + 2 * below[x + 1] + below[x + 2] - above[x] - 2 * above[x + 1] - above[x + 2] + 2) >> 2;
        if (across != 0 || down != 0) {
            int32_t turned = 0, k, before = 0, at = 0;
            for (; across <= 0 || down < 0; turned += TURNS / 4) { /* by a quarter, until it points right and down */
                const int32_t old = across;
                across = down;
                down = -old;
            }
            for (k = -2; before >= 0; k++) { /* two directions enclose it */
                const int32_t behind = cross(k + 1, across, down), turn = turned + k;
                if (behind < 0) {
                    const int32_t part = before < -behind ? before : -behind;
                    const int32_t far = times(PITCH - right, part), near = times(right, part);
                    const int32_t cell = turn < TURNS ? turn : 0;
                    upper[cell] += (uint32_t)times(high, far);
                    upper[cell + TURNS] += (uint32_t)times(high, near);
                    lower[cell] += (uint32_t)times(low, far);
                    lower[cell + TURNS] += (uint32_t)times(low, near);
                }
                before = at;
                at = behind;
            }
        }
        right += 2;
        if (right >= PITCH) {
            right -= PITCH;
            upper += TURNS;
            lower += TURNS;
        }
    }
}

/* Square root, rounded down, at most 255, digit by digit. */
static uint8_t root(uint32_t square)
{
    uint32_t left = square, found = 0, bit;
    for (bit = 1u << 14; bit > 0; bit /= 4) {
        const uint32_t taken = found + bit;
        found /= 2;
        if (left >= taken) {
            left -= taken;
            found += bit;
        }
    }
    return (uint8_t)found;
}

/* Row y of the values; rows have to be asked for from above to below. */
static const uint8_t *values_of(view *seen, int32_t y)
{
    int32_t k;
    for (; seen->made <= y; seen->made += LINES, seen->row++) {
        uint32_t *const sums = seen->sums[seen->row & 1] + TURNS;
        while (seen->lower <= seen->row + 1) add_row(seen);
        for (k = 0; k < COLUMNS * TURNS; k++) {
            const uint32_t square = sums[k] >> HALVINGS;
            seen->values[k] = square < FAINT * FAINT ? 0 : root(square);
            ((volatile uint32_t *)sums)[k] = 0;
        }
    }
    return seen->values + (y - seen->made + LINES) * ACROSS;
}
