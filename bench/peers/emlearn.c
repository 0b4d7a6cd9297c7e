/* The network as emlearn generates it: float weights, 1/255 folded into them, labels only. */
#include "digits.h"
#include "weights.h"

static float features[DIGITS_PIXELS];

uint8_t digits_predict(const uint8_t image[DIGITS_PIXELS])
{
    for (int i = 0; i < DIGITS_PIXELS; i++) features[i] = image[i];
    return (uint8_t)network_predict(features, DIGITS_PIXELS);
}

uint8_t digits_logits(const uint8_t image[DIGITS_PIXELS], int32_t logits[DIGITS_CLASSES])
{
    (void)logits;
    return digits_predict(image);
}

void digits_probabilities(const int32_t logits[DIGITS_CLASSES], uint8_t probabilities[DIGITS_CLASSES])
{
    (void)logits;
    (void)probabilities;
}
