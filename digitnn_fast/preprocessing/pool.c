/* The middle of the upright digit, of which three by three pixels become two by two. */
#define GRID 16 /* pixels along an axis; around them all is black */
#define FRAME ((SIDE - GRID) / 2)
#define CROP 2 /* pixels of the digit at each side that are left out */

typedef struct {
    const picture *image;
    stance found;
    int32_t next;                 /* row of the upright digit to make */
    uint8_t upright[2][SIDE + 2]; /* row y is upright[y % 2], with paper at both ends */
    uint8_t values[SIDE];
} view;

static void begin(view *seen, const picture *image)
{
    int32_t x;
    seen->image = image;
    look(image, &seen->found);
    seen->next = CROP;
    for (x = 0; x < SIDE; x++) ((volatile uint8_t *)seen->values)[x] = 0; /* else compilers call libc's memset */
}

/* Row y of the values, from above to below. A new pixel is two thirds of an old one and a third of its neighbour, along
 * both axes.
 */
static const uint8_t *values_of(view *seen, int32_t y)
{
    const int32_t row = y - FRAME, odd = row & 1, top = CROP + 3 * (row / 2) + odd;
    const uint8_t *const upper = seen->upright[top & 1], *const lower = seen->upright[(top + 1) & 1];
    int32_t x;
    if (row < 0 || row >= GRID) return seen->values; /* only of a network without any weight */
    for (; seen->next <= top + 1; seen->next++)
        straighten(seen->image, &seen->found, seen->next, seen->upright[seen->next & 1]);
    for (x = 0; x < GRID; x++) {
        const int32_t more = x & 1, at = 1 + CROP + 3 * (x / 2) + more;
        const int32_t above = upper[at] + upper[at + 1] + upper[at + more];
        const int32_t below = lower[at] + lower[at + 1] + lower[at + more];
        const int32_t ninths = above + below + (odd ? below : above);
        seen->values[FRAME + x] = (uint8_t)((ninths * 7282 + 32768) >> 16); /* a ninth, to the nearest */
    }
    return seen->values;
}
