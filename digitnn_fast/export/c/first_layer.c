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
#if LISTED == DIGITS_PIXELS /* room for all: an addition takes less time than a jump that can't be foreseen */
            total += level;
            *end = place + (uint32_t)x * (256 * ROW) + (uint32_t)level;
            end += level != 0;
#else
            if (level == 0) continue;
            total += level;
            *end++ = place + (uint32_t)x * (256 * ROW) + (uint32_t)level;
            if (end == list + LISTED) {
                *end = 0;
                add_up(list, sums);
                end = list;
            }
#endif
        }
    }
    *end = 0;
    add_up(list, sums);
    return total;
}
