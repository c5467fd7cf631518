/* The first instructions after reset: copy .data, clear .bss, switch the floating-point unit on, open the host's files. */
#include <stdint.h>
#include <string.h>

extern char data_start[], data_end[], data_load[], bss_start[], bss_end[], stack_top[];
extern void initialise_monitor_handles(void);
extern int main(void);
extern void _exit(int status);

void start(void) {
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
    __asm volatile("dsb\n isb");
    memcpy(data_start, data_load, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    initialise_monitor_handles();
    _exit(main());
}

static void fault(void) { _exit(3); }

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {stack_top, start, fault, fault, fault, fault, fault};
