/* Make row y of the upright digit, with paper at both ends. */
static void straighten(const uint8_t *image, const stance *found, int32_t y, uint8_t row[SIDE + 2])
{
    const int32_t source = y + ((found->mean_y + 256) >> 8);
    const int32_t lean = found->slant * (256 * (source - 14) - found->mean_y);
    const int32_t slide = found->mean_x + 128 + ((lean + 128) >> 8), moved = slide >> 8, right = slide & 255;
    const uint32_t wide = y >= 0 && y < SIDE && source >= 0 && source < SIDE ? SIDE : 0;
    int32_t x, here, next = 0;
    for (x = 0; x < SIDE + 2; x++) {
        const int32_t from = x + moved;
        here = next;
        next = (uint32_t)from < wide ? image[source * SIDE + from] : 0;
        row[x] = (uint8_t)(here + ((right * (next - here) + 128) >> 8));
    }
    row[0] = row[SIDE + 1] = 0;
}
