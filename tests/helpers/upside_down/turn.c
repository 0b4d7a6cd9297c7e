/* The upright digit upside down. */
typedef struct {
    const picture *image;
    stance found;
    uint8_t values[SIDE + 2];
} view;

static void begin(view *seen, const picture *image)
{
    seen->image = image;
    look(image, &seen->found);
}

/* Row y of the values. */
static const uint8_t *values_of(view *seen, int32_t y)
{
    straighten(seen->image, &seen->found, SIDE - 1 - y, seen->values);
    return seen->values + 1;
}
