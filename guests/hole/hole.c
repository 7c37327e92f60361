/* SPDX-License-Identifier: MIT */
/* hole.c - every sensitive instruction, and what this kernel saw of it: one
 * line each, `hole NAME ANSWER`. Run on a processor of its own, the answers are
 * the truth; a monitor that is complete gives the same.
 *
 * Reference: SDM 2, one entry for each instruction.
 */
#include "hole.h"
#include "kit.h"

#define EFLAGS_IF 0x200
#define CR4_TSD   4
#define LDT       0x82 /* access byte: present, ring 0, LDT                 */

static void say(const char *name)
{
    kit_print("hole %s ", name);
}

static void clear(void)
{
    for (unsigned i = 0; i < sizeof seen / sizeof *seen; i++)
        seen[i] = 0;
}

/* An attempt's outcome, as a word. */
static void say_outcome(const char *what, uint32_t outcome)
{
    if (outcome)
        kit_print("%s=fault%u", what, outcome & 0xFF);
    else
        kit_print("%s=done", what);
}

static void sti(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static void flags(void)
{
    attempt(run_pushf);
    sti();
    say("pushf");
    kit_print("if=%u\n", (seen[0] & EFLAGS_IF) != 0);

    /* Off: does a timer interrupt arrive nevertheless? */
    attempt(run_popf);
    seen[0] = kit_interruptible();
    sti();
    say("popf");
    kit_print("interrupted=%u\n", seen[0]);

    attempt(run_iret);
    seen[0] = kit_interruptible();
    sti();
    say("iret");
    kit_print("interrupted=%u\n", seen[0]);
}

static void say_table(const char *name, void (*f)(void))
{
    clear();
    attempt(f);
    say(name);
    kit_print("base=%x limit=%w\n", seen[0] >> 16 | seen[1] << 16,
              seen[0] & 0xFFFF);
}

static void say_word(const char *name, void (*f)(void), const char *what)
{
    clear();
    attempt(f);
    say(name);
    kit_print("%s=%w\n", what, seen[0] & 0xFFFF);
}

static void tables(void)
{
    static uint64_t ldt[1];
    uint32_t base = (uint32_t)ldt;

    kit_gdt[KIT_SPARE >> 3] =
        (sizeof ldt - 1) | (uint64_t)(base & 0xFFFFFF) << 16 |
        (uint64_t)LDT << 40 | (uint64_t)(base >> 24) << 56;
    __asm__ volatile("lldt %w0" : : "r"(KIT_SPARE));
    say_table("sgdt", try_sgdt);
    say_table("sidt", try_sidt);
    say_word("sldt", try_sldt, "selector");
    say_word("str", try_str, "selector");
    say_word("smsw", try_smsw, "cr0");
}

/* By a selector of ring 0, and by one of ring 1, which ring 0's descriptors
 * are not open to. */
static void say_two(const char *name, void (*f)(void), const char *first)
{
    clear();
    attempt(f);
    say(name);
    if (first)
        kit_print("%s=%x ring1=%u\n", first, seen[0], seen[1] & 1);
    else
        kit_print("ring0=%u ring1=%u\n", seen[0] & 1, seen[1] & 1);
}

static void descriptors(void)
{
    say_two("lar", try_lar, "rights");
    say_two("lsl", try_lsl, "limit");
    say_two("verr", try_verr, 0);
    say_two("verw", try_verw, 0);
}

static void say_pair(const char *name, void (*first)(void),
                     void (*second)(void))
{
    uint32_t a = attempt(first), b;

    segments_back();
    b = attempt(second);
    segments_back();
    say(name);
    say_outcome("ring0", a);
    say_outcome(" ring1", b);
    kit_print("\n");
}

static void segments(void)
{
    uint32_t outcome;

    clear();
    attempt(try_push);
    say("push");
    kit_print("cs=%w ss=%w\n", seen[0], seen[1]);
    say_pair("pop", try_pop, try_pop_1);

    clear();
    attempt(try_mov);
    outcome = attempt(run_mov_1);
    segments_back();
    say("mov");
    kit_print("cs=%w ss=%w", seen[0], seen[1]);
    say_outcome(" es", outcome);
    kit_print("\n");
}

static void transfers(void)
{
    clear();
    attempt(try_call);
    say("call");
    kit_print("pushed_cs=%w\n", seen[0] & 0xFFFF);
    say_pair("jmp", try_jmp, try_jmp_1);
    say_pair("ret", run_ret, run_ret_1);

    clear();
    kit_gate(OWN_INT, on_int, GATE_INT);
    attempt(try_int);
    say("int");
    kit_print("pushed_cs=%w if=%u\n", seen[0] & 0xFFFF,
              (seen[1] & EFLAGS_IF) != 0);
}

static void user_in(void)
{
    enter_user(try_in_3, 0, 0);
}

static void user_out(void)
{
    enter_user(try_out_3, 0, 0);
}

static void user_rdtsc(void)
{
    enter_user(try_rdtsc_3, 0, 0);
}

static void visible(void)
{
    uint32_t ring3 = attempt(user_in);

    clear();
    attempt(run_out);
    attempt(try_in);
    port_out(0x21, 0xFF);
    say("in");
    kit_print("mask=%x", seen[0]);
    say_outcome(" ring3", ring3);
    ring3 = attempt(user_out);
    kit_print("\n");
    say("out");
    kit_print("mask=%x", seen[0]);
    say_outcome(" ring3", ring3);

    clear();
    attempt(try_rdtsc);
    __asm__ volatile("movl %0, %%cr4" : : "r"(CR4_TSD));
    ring3 = attempt(user_rdtsc);
    __asm__ volatile("movl %0, %%cr4" : : "r"(0));
    kit_print("\n");
    say("rdtsc");
    kit_print("later=%u",
              seen[3] > seen[1] || (seen[3] == seen[1] && seen[2] > seen[0]));
    say_outcome(" tsd", ring3);

    clear();
    attempt(try_cpuid);
    kit_print("\n");
    say("cpuid");
    kit_print("leaves=%u hypervisor=%u\n", seen[0], seen[2] >> 31);
}

_Noreturn void guest_main(const char *word[KIT_WORDS])
{
    (void)word;
    flags();
    tables();
    descriptors();
    segments();
    transfers();
    visible();
    kit_exit(0);
}
