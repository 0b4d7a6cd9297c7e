/* Answers for raw images from stdin to stdout: of each image label, ten logits (int32, low byte first), ten
 * probabilities. This is how the generated C is compared with its specification on a computer or under qemu.
 */
#include <stdio.h>

#include "digits.h"

/* A row in a place where the next one will be. */
static const uint8_t *row(void *context, uint8_t y)
{
    static uint8_t copy[28];
    int x;
    for (x = 0; x < 28; x++) copy[x] = ((const uint8_t *)context)[28 * y + x];
    return copy;
}

int main(void)
{
    uint8_t image[DIGITS_PIXELS], answer[1 + 4 * DIGITS_CLASSES + DIGITS_CLASSES];
    while (fread(image, 1, sizeof image, stdin) == sizeof image) {
        int32_t logits[DIGITS_CLASSES];
        int k, byte;
        answer[0] = digits_logits_rows(row, image, logits);
        for (k = 0; k < DIGITS_CLASSES; k++)
            for (byte = 0; byte < 4; byte++)
                answer[1 + 4 * k + byte] = (uint8_t)((uint32_t)logits[k] >> (8 * byte) & 255u);
        digits_probabilities(logits, answer + 1 + 4 * DIGITS_CLASSES);
        if (digits_predict(image) != answer[0]) return 1;
        if (fwrite(answer, 1, sizeof answer, stdout) != sizeof answer) return 1;
    }
    return 0;
}
