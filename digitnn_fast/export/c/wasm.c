/* The doors of digits.c in WebAssembly: up to AT_ONCE images are put where images() says, and recognise(count) writes
 * their logits to where logits() says.
 */
#include "digits.h"

#define AT_ONCE 64
#define DOOR(name) __attribute__((export_name(#name)))

static uint8_t all_images[AT_ONCE * DIGITS_PIXELS];
static int32_t all_logits[AT_ONCE * DIGITS_CLASSES];

DOOR(images) uint8_t *images(void)
{
    return all_images;
}

DOOR(logits) int32_t *logits(void)
{
    return all_logits;
}

DOOR(recognise) void recognise(uint32_t count)
{
    uint32_t i;
    for (i = 0; i < count; i++) (void)digits_logits(all_images + DIGITS_PIXELS * i, all_logits + DIGITS_CLASSES * i);
}
