/* Bare metal on a Cortex-M or a RISC-V in qemu: answers for the raw images of images.bin go to answers.bin (files of the host, by
 * semihosting), each as driver.c writes it; then three numbers: instructions, the same of a known loop, bytes of stack.
 * No libc: this file is also the start-up code. Under `-icount shift=0` SysTick and minstret count instructions.
 */
#include "digits.h"

extern char stack_top, data_load, data_start, data_end, bss_end;

enum { OPEN = 1, WRITE = 5, READ = 6, EXIT = 0x18 }; /* Semihosting for AArch32, Arm; RISC-V's is the same */
enum { READ_BINARY = 1, WRITE_BINARY = 5, APPLICATION_EXIT = 0x20026, RUN_TIME_ERROR = 0x20023 };

static int32_t ask_host(uint32_t operation, const void *argument)
{
#ifdef __riscv
    register uint32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(".balign 16\n.option push\n.option norvc\n"
                     "slli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n.option pop"
                     : "+r"(a0) : "r"(a1) : "memory");
    return (int32_t)a0;
#else
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
#endif
}

static void leave(uint32_t reason)
{
    for (;;) ask_host(EXIT, (const void *)reason);
}

static uint32_t open_file(const char *name, uint32_t length, uint32_t mode)
{
    const uint32_t block[3] = {(uint32_t)name, mode, length};
    const int32_t handle = ask_host(OPEN, block);
    if (handle < 0) leave(RUN_TIME_ERROR);
    return (uint32_t)handle;
}

/* Whether all bytes could be read or written. */
static int move(uint32_t operation, uint32_t handle, const void *bytes, uint32_t count)
{
    const uint32_t block[3] = {handle, (uint32_t)bytes, count};
    return ask_host(operation, block) == 0;
}

#ifdef __riscv
static uint32_t ticks(void)
{
    uint32_t count;
    __asm__ volatile(".insn i 0x73, 2, %0, x0, -1278" : "=r"(count)); /* csrr %0, minstret, which rv32ec has no name for */
    return count;
}
#else
#define SYSTICK ((volatile uint32_t *)0xe000e010u)

static uint32_t ticks(void)
{
    return 0xffffffu - SYSTICK[2];
}
#endif

static uint8_t image[DIGITS_PIXELS];

/* Ticks while predicting, and how deep below this function the stack was written. */
static uint32_t measure(uint32_t *depth)
{
    char *sp, *byte;
    uint32_t before, after;
#ifdef __riscv
    __asm__ volatile("mv %0, sp" : "=r"(sp));
#else
    __asm__ volatile("mov %0, sp" : "=r"(sp));
#endif
    for (byte = &bss_end; byte < sp; byte++) *(volatile char *)byte = 0x5a;
    before = ticks();
    digits_predict(image);
    after = ticks();
    for (byte = &bss_end; byte < sp && *byte == 0x5a; byte++) {
    }
    if (*depth < (uint32_t)(sp - byte)) *depth = (uint32_t)(sp - byte);
    return (after - before) & 0xffffffu;
}

/* Ticks of a million instructions. */
static uint32_t calibrate(void)
{
    uint32_t left = 500000, before = ticks();
#ifdef __riscv
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(left));
#else
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+l"(left) : : "cc");
#endif
    return (ticks() - before) & 0xffffffu;
}

static void run(void)
{
    static uint8_t answer[1 + 4 * DIGITS_CLASSES + DIGITS_CLASSES];
    static int32_t logits[DIGITS_CLASSES];
    uint32_t numbers[3] = {0, 0, 0};
    const uint32_t in = open_file("images.bin", 10, READ_BINARY), out = open_file("answers.bin", 11, WRITE_BINARY);
    uint32_t k;
    while (move(READ, in, image, sizeof image)) {
        numbers[0] += measure(&numbers[2]);
        answer[0] = digits_logits(image, logits);
        for (k = 0; k < 4 * DIGITS_CLASSES; k++)
            answer[1 + k] = (uint8_t)((uint32_t)logits[k / 4] >> (8 * (k % 4)) & 255u);
        digits_probabilities(logits, answer + 1 + 4 * DIGITS_CLASSES);
        if (!move(WRITE, out, answer, sizeof answer)) leave(RUN_TIME_ERROR);
    }
    numbers[1] = calibrate();
    move(WRITE, out, numbers, sizeof numbers);
}

void start(void)
{
    /* volatile: else these loops become calls of memcpy and memset */
    volatile char *byte, *from = &data_load;
    for (byte = &data_start; byte < &data_end; byte++) *byte = *from++;
    for (; byte < &bss_end; byte++) *byte = 0;
#ifdef __ARM_FP
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20; /* switch the FPU on */
    __asm__ volatile("dsb\n isb");
#endif
#ifndef __riscv
    SYSTICK[1] = 0xffffffu;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5;
#endif
    run();
    leave(APPLICATION_EXIT);
}

__attribute__((aligned(4), used)) static void fault(void)
{
    leave(RUN_TIME_ERROR);
}

#ifdef __riscv
__asm__(".section .vectors, \"ax\"\n la sp, stack_top\n la t0, fault\n .insn i 0x73, 1, x0, t0, 773\n" /* csrw mtvec, t0 */
        " j start\n .text");
#else
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {&stack_top, start, fault, fault, fault, fault, fault};
#endif
