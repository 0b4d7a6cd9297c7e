/* The middle of the upright digit, of which three by three pixels become two by two. */
#define GRID 16 /* pixels along an axis; around them all is black */
#define FRAME ((SIDE - GRID) / 2)
#define CROP 2 /* pixels of the digit at each side that are left out */

typedef struct {
    const uint8_t *image;
    stance found;
    uint8_t values[SIDE];
} view;

static void begin(view *seen, const uint8_t *image)
{
    int32_t x;
    seen->image = image;
    look(image, &seen->found);
    for (x = 0; x < SIDE; x++) ((volatile uint8_t *)seen->values)[x] = 0; /* else compilers call libc's memset */
}

/* Row y of the values. A new pixel is two thirds of an old one and a third of its neighbour, along both axes. */
static const uint8_t *values_of(view *seen, int32_t y)
{
    const int32_t row = y - FRAME, odd = row & 1, top = CROP + 3 * (row / 2) + odd, inside = row >= 0 && row < GRID;
    uint8_t upper[SIDE + 2], lower[SIDE + 2];
    int32_t x;
    straighten(seen->image, &seen->found, top, upper);
    straighten(seen->image, &seen->found, top + 1, lower);
    for (x = 0; x < GRID; x++) {
        const int32_t right = 1 + (x & 1), left = 3 - right, at = 1 + CROP + 3 * (x / 2) + (x & 1);
        int32_t ninths = (2 - odd) * (left * upper[at] + right * upper[at + 1]);
        ninths += (1 + odd) * (left * lower[at] + right * lower[at + 1]);
        seen->values[FRAME + x] = (uint8_t)(inside ? (ninths * 7282 + 32768) >> 16 : 0); /* a ninth, to the nearest */
    }
    return seen->values;
}
