// Reads images of 784 bytes (28 x 28, 0 is paper, 255 is ink) from the serial port, and answers with digit and
// probabilities. Made by digitnn-fast @version@.
#include <digits.h>

static uint8_t image[DIGITS_PIXELS];

void setup() {
  Serial.begin(115200);
  Serial.println(digits_selftest() == 0 ? "self-test passed" : "self-test FAILED");
}

void loop() {
  int32_t logits[DIGITS_CLASSES];
  uint8_t probabilities[DIGITS_CLASSES];
  if (Serial.readBytes((char *)image, DIGITS_PIXELS) < DIGITS_PIXELS) return;
  const uint8_t digit = digits_logits(image, logits);
  digits_probabilities(logits, probabilities);
  Serial.print(digit);
  Serial.print(", sure by ");
  Serial.print(100.0 * probabilities[digit] / 255.0);
  Serial.println("%");
}
