// Asks at the serial port for an image (28 x 28, 0 is paper, 255 is ink), a row at a time, and answers with digit and
// probability. A computer gives it one so, in Python with pyserial:
//
//   port = serial.Serial("/dev/ttyACM0", 115200)
//   for line in port:
//       if line.startswith(b"row "):
//           port.write(image[28 * int(line[4:]) :][:28])
//       else:
//           print(line.decode())
//
// With 784 bytes to spare the image may be in memory as a whole: digits_logits(image, logits).
// Made by digitnn-fast @version@.
#include <digits.h>

#if defined(__AVR__) && RAMEND - RAMSTART + 1 < DIGITS_STACK + 384  // for Arduino, this sketch and the self-test
#error "this board has too little RAM for this network: export one with other inputs or fewer hidden units"
#endif

static const uint8_t *row(void *, uint8_t y) {
  static uint8_t levels[28];
  do {
    while (Serial.available()) Serial.read();  // a row that came too late
    Serial.print("row ");
    Serial.println(y);
  } while (Serial.readBytes((char *)levels, sizeof levels) < sizeof levels);
  return levels;
}

void setup() {
  Serial.begin(115200);
  Serial.println(digits_selftest() == 0 ? "self-test passed" : "self-test FAILED");
}

void loop() {
  int32_t logits[DIGITS_CLASSES];
  uint8_t probabilities[DIGITS_CLASSES];
  const uint8_t digit = digits_logits_rows(row, nullptr, logits);
  digits_probabilities(logits, probabilities);
  Serial.print(digit);
  Serial.print(", sure by ");
  Serial.print(100.0 * probabilities[digit] / 255.0);
  Serial.println("%");
}
