/* What explaining costs on an emulated board: instructions, and bytes of stack. Run with -icount shift=6: each instruction
   takes 64 ns then, and SysTick ticks every 40 ns, so that none is lost. CASES as in answers.c. */

#include <stdio.h>

#include HEADER
#include CASES

#define SYSTICK ((volatile uint32_t *)0xe000e010)
#define MOST 0xffffffu       /* SysTick has 24 bits: 10 million instructions */
#define PAINTED 4096u        /* words below the stack pointer */
#define PAINT 0xa5a5a5a5u

static float map[PLACES], sums[CLASSES], score, difference;
static uint8_t image[28 * 28];
static uint32_t top;
static const camlite_outputs *outputs;

static int nothing(void)
{
    return 0;
}

/* 4,001 instructions more than nothing(). */
static int known(void)
{
    __asm__ volatile("movw r0, #1000\n1: nop\nnop\nsubs r0, #1\nbne 1b" ::: "r0", "cc");
    return 0;
}

static int best(void)
{
    return camlite_top(&NAME, outputs, &top, &score);
}

static int evidence(void)
{
    return camlite_evidence(&NAME, outputs, top, map, PLACES);
}

static int contrast(void)
{
    return camlite_contrast(&NAME, outputs, top, top ? 0 : CLASSES - 1, map, PLACES);
}

static int completeness(void)
{
    return camlite_completeness(&NAME, outputs, sums, CLASSES, &difference);
}

static int heatmap(void)
{
    return camlite_heatmap(&NAME, map, PLACES, image, sizeof image, 28, 28);
}

static int next(void *context, const void *input, size_t bytes, camlite_outputs *left)
{
    (void)context, (void)input, (void)bytes;
    *left = *outputs;
    return 0;
}

static int check(void)
{
    camlite_checked checked;
    int status = camlite_check(&NAME, next, NULL, map, PLACES, sums, CLASSES, &checked);
    return status == CAMLITE_CHECK_FAILED ? 0 : status; /* every sample is given the outputs of the first */
}

static uint32_t ticks_of(int (*call)(void), int *status)
{
    uint32_t before;
    SYSTICK[1] = MOST;
    SYSTICK[2] = 0;
    SYSTICK[0] = 5; /* the processor's clock, no interrupt */
    before = SYSTICK[2];
    *status = call();
    return (before - SYSTICK[2]) & MOST;
}

/* Calls twice: the first time QEMU translates, and a few instructions are counted twice. */
static uint32_t instructions_of(int (*call)(void), int *status)
{
    uint32_t ticks, empty;
    ticks_of(nothing, status);
    empty = ticks_of(nothing, status);
    ticks_of(call, status);
    ticks = ticks_of(call, status) - empty;
    return (ticks * 5 + 4) / 8;
}

/* Paints what lies below the stack pointer, calls, and looks how far down the paint is gone. */
static __attribute__((noinline)) uint32_t stack_of(int (*call)(void))
{
    volatile uint32_t *here, *at;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    for (at = here - PAINTED; at < here; at++)
        *at = PAINT;
    call();
    for (at = here - PAINTED; at < here && *at == PAINT; at++)
        ;
    return (uint32_t)(here - at) * 4;
}

static void tell(const char *what, int (*call)(void))
{
    int status;
    uint32_t instructions = instructions_of(call, &status);
    printf("%s %d %lu %lu\n", what, status, (unsigned long)instructions, (unsigned long)stack_of(call));
}

int main(void)
{
    camlite_outputs first = OUTPUTS(features[0], scores[0]);
    outputs = &first;
    tell("known", known);
    tell("top", best);
    tell("contrast", contrast);
    tell("evidence", evidence);
    tell("completeness", completeness);
    tell("heatmap", heatmap);
    tell("check", check);
    return 0;
}
