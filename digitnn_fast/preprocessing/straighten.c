/* Make row y of the upright digit, with paper at both ends. */
static void straighten(const picture *image, const stance *found, int32_t y, uint8_t row[SIDE + 2])
{
    const int32_t source = y + found->lowered, inside = y >= 0 && y < SIDE && source >= 0 && source < SIDE;
    const int32_t slide = inside ? found->start + times(source, found->slant) : 0, moved = slide >> 8, right = slide & 255;
    const uint8_t *const pixels = inside ? row_of(image, source) : 0;
    const uint32_t wide = inside ? SIDE : 0;
    int32_t x, here, next = 0;
    for (x = 0; x < SIDE + 2; x++) {
        const int32_t from = x + moved;
        here = next;
        next = (uint32_t)from < wide ? pixels[from] : 0;
        row[x] = (uint8_t)between(here, next, right);
    }
    row[0] = row[SIDE + 1] = 0;
}
