/* An AVR in simavr whose serial port is stdin and stdout: serial_port PROCESSOR HERTZ PROGRAM. When it has asked for
 * "row N", it waits for 28 bytes.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

static unsigned char given[28];
static unsigned left, listening;

static void on_output(avr_irq_t *irq, uint32_t value, void *context)
{
    static char line[80];
    static unsigned length;
    (void)irq;
    (void)context;
    putchar((int)value);
    if (length + 1 < sizeof line) line[length++] = (char)value;
    if (value != '\n') return;
    fflush(stdout);
    if (strncmp(line, "row ", 4) == 0) left = (unsigned)fread(given, 1, sizeof given, stdin);
    length = 0;
}

static void on_room(avr_irq_t *irq, uint32_t value, void *context)
{
    (void)irq;
    (void)value;
    listening = context != NULL;
}

static void be_quiet(avr_t *avr, const int level, const char *format, va_list words)
{
    (void)avr;
    (void)level;
    (void)format;
    (void)words;
}

int main(int count, char **words)
{
    elf_firmware_t program = {0};
    avr_t *const avr = count == 4 ? avr_make_mcu_by_name(words[1]) : NULL;
    uint32_t flags = 0;
    int state = cpu_Running;
    avr_global_logger_set(be_quiet);
    if (!avr || elf_read_firmware(words[3], &program)) return 2;
    avr_init(avr);
    sscanf(words[2], "%u", &program.frequency);
    avr_load_firmware(avr, &program);
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags); /* else it sleeps and prints by itself */
    avr_irq_t *const port = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), 0);
    avr_irq_register_notify(port + UART_IRQ_OUTPUT, on_output, NULL);
    avr_irq_register_notify(port + UART_IRQ_OUT_XON, on_room, words);
    avr_irq_register_notify(port + UART_IRQ_OUT_XOFF, on_room, NULL);
    while (!feof(stdin) && state != cpu_Done && state != cpu_Crashed) {
        state = avr_run(avr);
        if (left > 0 && listening) {
            listening = 0;
            avr_raise_irq(port + UART_IRQ_INPUT, given[sizeof given - left--]);
        }
    }
    return 0;
}
