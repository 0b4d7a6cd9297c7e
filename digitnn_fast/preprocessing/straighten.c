/* Make row y of the upright digit, with paper at both ends. */
static void straighten(const uint8_t *image, const stance *found, int32_t y, uint8_t row[SIDE + 2])
{
    const int32_t source = y + whole(found->mean_y + 256);
    const int32_t slide = found->mean_x + 128 + whole(found->slant * (256 * (source - 14) - found->mean_y) + 128);
    const int32_t moved = whole(slide), right = slide - 256 * moved, left = 256 - right;
    const int32_t inside = y >= 0 && y < SIDE && source >= 0 && source < SIDE;
    int32_t x, here, next = 0;
    for (x = -1; x <= SIDE; x++) {
        const int32_t from = x + moved + 1;
        here = next;
        next = inside && from >= 0 && from < SIDE ? image[source * SIDE + from] : 0;
        row[x + 1] = (uint8_t)(x >= 0 && x < SIDE ? (here * left + next * right + 128) >> 8 : 0);
    }
}
