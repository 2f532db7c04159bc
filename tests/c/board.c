/* What comes before main() on an emulated board: memory, the floating point unit, and printing through QEMU. */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern void stack_top(void); /* an address */
extern uint32_t data_begin, data_end, data_stored, bss_begin, bss_end;
extern void initialise_monitor_handles(void);
extern void _exit(int);
extern int main(void);

void reset(void)
{
    int status;
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20; /* CPACR: the floating point unit, where there is one */
    memcpy(&data_begin, &data_stored, (size_t)((char *)&data_end - (char *)&data_begin));
    memset(&bss_begin, 0, (size_t)((char *)&bss_end - (char *)&bss_begin));
    initialise_monitor_handles();
    status = main();
    fflush(stdout);
    _exit(status);
}

static void fault(void)
{
    _exit(99);
}

__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault,
};
