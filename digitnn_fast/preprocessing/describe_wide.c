/* The numbers of describe.c where registers are wide: all directions of a pixel at once, in loops over 16 bits that
 * compilers turn into vectors. No cell sees the pixels along the border. Edges are summed along a row of pixels first: at
 * most 25 * 2,295, and in the widest cells, of eight pixels, 32 * 2,040, for only what rises or falls can be as steep at
 * each of them. Eight such rows are kept, and four of pixels.
 */
#define FAINT 8                      /* a smaller value is 0 */
#define FIRST (ORIGIN_X / 2 + 1)     /* of the columns of pixels that a cell sees */
#define SEEN ((PITCH * (COLUMNS + 1) + ORIGIN_X + 1) / 2 - FIRST)
#define WIDE ((COLUMNS + 2) * TURNS) /* a row of cells, with one more at each end that nobody reads */
#define LINES (COLUMNS * TURNS / ACROSS)
#define MARGIN 32 /* pixels: no row slides by more */
#define LONG 32   /* of a row of pixels, a multiple of a register's numbers */

typedef struct {
    const picture *image;
    stance found;
    int32_t made;                 /* rows of values */
    int32_t next;                 /* row of pixels to make */
    int16_t steep[4][SEEN];       /* of row y, in steep[y % 4]: right - left */
    int16_t soft[4][SEEN];        /* left + 2 * middle + right */
    uint16_t edges[8][WIDE];      /* of row y, in edges[y % 8] */
    uint8_t line[MARGIN + SIDE + MARGIN + LONG]; /* a row of the image, with paper around */
    uint8_t values[COLUMNS * TURNS];
} view;

static void begin(view *seen, const picture *image)
{
    uint32_t x;
    seen->image = image;
    look(image, &seen->found);
    seen->made = 0;
    seen->next = ORIGIN_Y / 2;
    for (x = 0; x < sizeof seen->line; x++) seen->line[x] = 0;
}

/* Make the next row of pixels, as straighten.c does, and what Sobel wants of it. */
static void make_row(view *seen)
{
    const int32_t y = seen->next++, source = y + seen->found.lowered;
    int16_t *const steep = seen->steep[y & 3], *const soft = seen->soft[y & 3];
    uint8_t row[LONG];
    int32_t x;
    if (source >= 0 && source < SIDE) {
        const int32_t slide = seen->found.start + source * seen->found.slant;
        const uint8_t *const pixels = row_of(seen->image, source);
        const uint8_t *const here = seen->line + MARGIN + FIRST - 1 + (slide >> 8), *const beside = here + 1;
        const uint16_t right = (uint16_t)(slide & 255), left = (uint16_t)(256 - right);
        for (x = 0; x < SIDE; x++) seen->line[MARGIN + x] = pixels[x];
        for (x = 0; x < LONG; x++) row[x] = (uint8_t)((uint16_t)(left * here[x] + right * beside[x] + 128) >> 8);
    } else {
        for (x = 0; x < LONG; x++) row[x] = 0;
    }
    for (x = 0; x < SEEN; x++) {
        steep[x] = (int16_t)(row[x + 2] - row[x]);
        soft[x] = (int16_t)(row[x] + 2 * row[x + 1] + row[x + 2]);
    }
}

/* Sum up the edges of row y, which is made, along the row. */
static void add_row(view *seen, int32_t y)
{
    /* 16 * cosine from a quarter before the first direction to the last one, with one more at each end. */
#if TURNS == 16
    static const int16_t units[] = {-6, 0, 6, 11, 15, 16, 15, 11, 6, 0, -6, -11, -15, -16, -15, -11, -6, 0, 6, 11, 15, 16};
#else
    static const int16_t units[] = {-8, 0, 8, 14, 16, 14, 8, 0, -8, -14, -16, -14, -8, 0, 8, 14, 16};
#endif
    const int16_t *const sines = units + 1, *const cosines = sines + TURNS / 4;
    const int16_t *const steep_above = seen->steep[(y + 3) & 3], *const soft_above = seen->soft[(y + 3) & 3];
    const int16_t *const steep_below = seen->steep[(y + 1) & 3], *const soft_below = seen->soft[(y + 1) & 3];
    const int16_t *const steep = seen->steep[y & 3];
    uint16_t *near = seen->edges[y & 7];
    int16_t across[SEEN], down[SEEN];
    int32_t x, k, right = 2 * FIRST - ORIGIN_X;
    for (x = 0; x < SEEN; x++) {
        across[x] = (int16_t)((int16_t)(steep_above[x] + 2 * steep[x] + steep_below[x] + 2) >> 2);
        down[x] = (int16_t)((int16_t)(soft_below[x] - soft_above[x] + 2) >> 2);
    }
    for (k = 0; k < WIDE; k++) near[k] = 0;
    for (x = 0; x < SEEN; x++) {
        const int16_t to_right = across[x], to_below = down[x];
        const uint16_t far_share = (uint16_t)right, near_share = (uint16_t)(PITCH - right);
        uint16_t *const far = near + TURNS;
        if (to_right != 0 || to_below != 0)
            for (k = 0; k < TURNS; k++) {
                const int16_t before = (int16_t)(cosines[k - 1] * to_below - sines[k - 1] * to_right);
                const int16_t behind = (int16_t)(sines[k + 1] * to_right - cosines[k + 1] * to_below);
                const int16_t less = before < behind ? before : behind;
                const uint16_t part = (uint16_t)(less > 0 ? less : 0);
                near[k] = (uint16_t)(near[k] + near_share * part);
                far[k] = (uint16_t)(far[k] + far_share * part);
            }
        right += 2;
        if (right >= PITCH) {
            right -= PITCH;
            near += TURNS;
        }
    }
}

/* Make the next row of cells from the rows of pixels around it. */
static void make_cells(view *seen)
{
    const int32_t middle = ORIGIN_Y + PITCH * (seen->made / LINES + 1);
    uint32_t sums[COLUMNS * TURNS];
    int32_t y, k;
    for (k = 0; k < COLUMNS * TURNS; k++) sums[k] = 0;
    for (y = (middle - PITCH) / 2 + 1; 2 * y < middle + PITCH; y++) {
        const uint16_t *const edges = seen->edges[y & 7] + TURNS;
        const uint32_t weight = (uint32_t)(PITCH - (2 * y < middle ? middle - 2 * y : 2 * y - middle));
        while (seen->next <= y + 1) {
            make_row(seen);
            if (seen->next - 2 > ORIGIN_Y / 2) add_row(seen, seen->next - 2);
        }
        for (k = 0; k < COLUMNS * TURNS; k++) sums[k] += weight * edges[k];
    }
    for (k = 0; k < COLUMNS * TURNS; k++) {
        const uint32_t square = sums[k] >> HALVINGS;
        const int32_t root = (int32_t)__builtin_sqrtf((float)(int32_t)square); /* of so small integers, exact */
        seen->values[k] = (uint8_t)(square < FAINT * FAINT ? 0 : root < 255 ? root : 255);
    }
    seen->made += LINES;
}

/* Row y of the values; rows have to be asked for from above to below. */
static const uint8_t *values_of(view *seen, int32_t y)
{
    while (seen->made <= y) make_cells(seen);
    return seen->values + (y - seen->made + LINES) * ACROSS;
}
