/* products = level * W1 of a listed pixel: at most 255 * 127, so 16 bits hold them. */
static void multiply(uint32_t pixel, int16_t products[HIDDEN])
{
    const int16_t level = (int16_t)(pixel & 255u);
    const packed *const weights = W1 + (pixel >> 8);
    int32_t unit;
    for (unit = 0; unit < HIDDEN; unit++) products[unit] = (int16_t)(level * weights[unit]);
}

/* The same as in add_up.c, of weights in bytes, in loops that compilers turn into vectors: four pixels at a time, of which
 * the last ones may be missing.
 */
static void add_up(const uint32_t *list, int32_t *sums)
{
    uint32_t fourth = 1;
    for (; fourth != 0 && *list != 0; list += 4) {
        const uint32_t second = list[1], third = second != 0 ? list[2] : 0;
        int16_t a[HIDDEN], b[HIDDEN], c[HIDDEN], d[HIDDEN];
        int32_t unit;
        fourth = third != 0 ? list[3] : 0;
        multiply(*list, a);
        multiply(second, b);
        multiply(third, c);
        multiply(fourth, d);
        for (unit = 0; unit < HIDDEN; unit++) sums[unit] += a[unit] + b[unit] + c[unit] + d[unit];
    }
}
