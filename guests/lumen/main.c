/* SPDX-License-Identifier: MIT */
/* main.c - the kernel's beginning: bring everything up, start one process.
 *
 * Words of the command line:
 *   test           run the self-test, then leave through the debug-exit port
 *   run=PROG,ARG   run this instead of the shell and leave with its status
 *   pse, pge       map the kernel with 4 MiB pages, with global pages
 *   balloon        give memory back that a VMM wishes for
 *   quiet          nothing but what programs print
 */
#include "irq.h"
#include "kernel.h"
#include "machine.h"
#include "proc.h"
#include "trap.h"

_Noreturn void kernel_main(uint32_t first, uint32_t second);

/* "prog,arg,arg" to an argv, in place. */
static uint32_t split_commas(char *text, char *argv[ARGUMENTS])
{
    uint32_t argc = 0;

    argv[argc++] = text;
    for (; *text != '\0' && *text != ' '; text++) {
        if (*text != ',')
            continue;
        *text = '\0';
        if (argc < ARGUMENTS)
            argv[argc++] = text + 1;
    }
    *text = '\0';
    return argc;
}

static void number_to_text(char text[12], uint32_t n)
{
    char *p = text + 11;

    *p = '\0';
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    for (char *to = text; (*to++ = *p++) != '\0';)
        ;
}

/* The first process. The self-test's first half ran in the kernel; the
 * program that runs the second half gets the score so far. */
static void start_first_process(const struct test_score *score)
{
    static char shell[] = "sh", test[] = "selftest";
    static char words[128], passed[12], failed[12];
    char *argv[ARGUMENTS] = {shell};
    const char *run = cmdline_value("run=");
    uint32_t argc = 1;

    if (cmdline_has("test")) {
        number_to_text(passed, score->passed);
        number_to_text(failed, score->failed);
        argv[0] = test;
        argv[1] = passed;
        argv[2] = failed;
        argc = 3;
    } else if (run) {
        size_t n = strlen(run);

        memcpy(words, run, n < sizeof words ? n : sizeof words - 1);
        argc = split_commas(words, argv);
    }

    if (!proc_spawn(argv, argc)) {
        kprintf("lumen: cannot run %s\n", argv[0]);
        machine_exit(1);
    }
}

void kernel_main(uint32_t first, uint32_t second)
{
    struct test_score score = {0, 0};
    uint32_t memory_bytes;

    console_init();
    memory_bytes = boot_read(first, second);
    gdt_init();
    idt_init();
    frames_init(memory_bytes);
    paging_init(memory_bytes);
    frames_start();
    proc_init();
    pic_init();
    timer_init();
    balloon_init();
    disk_init();

    boot_message("lumen: %u MiB of memory, %u frames free, %s pages%s\n",
                 (memory_bytes + 0xFFFFF) >> 20, frames_free(),
                 cmdline_has("pse") ? "4 MiB" : "4 KiB",
                 cmdline_has("pge") ? ", global" : "");
    if (disk_sectors())
        boot_message("lumen: disk of %u sectors\n", disk_sectors());

    pic_unmask(IRQ_TIMER);
    pic_unmask(IRQ_SERIAL);
    pic_unmask(IRQ_DISK);
    irq_enable();

    if (cmdline_has("test"))
        selftest_run(&score);
    start_first_process(&score);
    sched_idle();
}
