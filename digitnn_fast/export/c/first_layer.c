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
