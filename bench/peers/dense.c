/* The dense loop in int8 that a network is usually exported as: every pixel times every weight. The same integers. */
#include "digits.h"
#include "weights.h" /* W1 and W2 transposed, so that each sum reads its weights in order */

uint8_t digits_logits(const uint8_t image[DIGITS_PIXELS], int32_t logits[DIGITS_CLASSES])
{
    int32_t hidden[HIDDEN];
    uint8_t best = 0;
    for (int unit = 0; unit < HIDDEN; unit++) {
        int32_t sum = b1[unit];
        for (int i = 0; i < DIGITS_PIXELS; i++) sum += image[i] * W1[unit * DIGITS_PIXELS + i];
        hidden[unit] = sum > 0 ? sum >> SHIFT : 0;
    }
    for (uint8_t k = 0; k < DIGITS_CLASSES; k++) {
        logits[k] = b2[k];
        for (int unit = 0; unit < HIDDEN; unit++) logits[k] += hidden[unit] * W2[k * HIDDEN + unit];
        if (logits[k] > logits[best]) best = k;
    }
    return best;
}

uint8_t digits_predict(const uint8_t image[DIGITS_PIXELS])
{
    int32_t logits[DIGITS_CLASSES];
    return digits_logits(image, logits);
}

void digits_probabilities(const int32_t logits[DIGITS_CLASSES], uint8_t probabilities[DIGITS_CLASSES])
{
    (void)logits;
    (void)probabilities;
}
