/* Bare metal on an AVR in simavr: answers for the images of images.h, which stay in flash, go to the serial port in
 * hexadecimal, each as driver.c writes it and followed by cycles and bytes of stack, in two lines.
 */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>

#include "digits.h"
#include "images.h"

#define PAINT 0x5a

extern uint8_t _end; /* of static memory, the stack's limit */

/* Row y of an image in flash, in a place where the next one will be. */
static const uint8_t *row(void *context, uint8_t y)
{
    static uint8_t copy[28];
    uint8_t x;
    for (x = 0; x < sizeof copy; x++) copy[x] = pgm_read_byte((const uint8_t *)context + 28 * y + x);
    return copy;
}

static void put(char character)
{
    while (!(UCSR0A & _BV(UDRE0))) {
    }
    UDR0 = (uint8_t)character;
}

static void put_bytes(const void *from, uint8_t count)
{
    const uint8_t *byte = (const uint8_t *)from;
    for (; count > 0; count--, byte++) {
        put("0123456789abcdef"[*byte >> 4]);
        put("0123456789abcdef"[*byte & 15]);
    }
}

/* Cycles of a prediction, and how deep below this function the stack was written. */
static uint32_t __attribute__((noinline)) measure(void *image, uint16_t *depth)
{
    volatile uint8_t *byte;
    uint16_t ticks;
    for (byte = &_end; byte < (uint8_t *)SP; byte++) *byte = PAINT;
    TCNT1 = 0;
    (void)digits_predict_rows(row, image);
    ticks = TCNT1; /* of 64 cycles */
    for (byte = &_end; byte < (uint8_t *)SP && *byte == PAINT; byte++) {
    }
    *depth = (uint16_t)((uint8_t *)SP - byte);
    return 64ul * ticks;
}

int main(void)
{
    static uint8_t probabilities[DIGITS_CLASSES], label;
    static int32_t logits[DIGITS_CLASSES];
    uint32_t cycles;
    uint16_t number, depth;
    TCCR1B = _BV(CS11) | _BV(CS10);
    UCSR0B = _BV(TXEN0);
    for (number = 0; number < sizeof images / sizeof images[0]; number++) {
        void *const image = (void *)images[number];
        cycles = measure(image, &depth);
        label = digits_logits_rows(row, image, logits);
        digits_probabilities(logits, probabilities);
        put_bytes(&label, 1);
        put_bytes(logits, sizeof logits);
        put('\n');
        put_bytes(probabilities, sizeof probabilities);
        put_bytes(&cycles, sizeof cycles);
        put_bytes(&depth, sizeof depth);
        put('\n');
    }
    cli();
    sleep_mode(); /* which ends simavr */
    return 0;
}
