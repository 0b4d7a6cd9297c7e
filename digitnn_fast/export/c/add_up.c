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
