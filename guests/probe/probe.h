/* SPDX-License-Identifier: MIT */
/* probe.h - where things are; for probe.S and for the test that drives it.
 * Linear addresses are guest-physical ones, but for the sandbox and window. */
#ifndef GUESTS_PROBE_H
#define GUESTS_PROBE_H

#define PROBE_TEXT          0x00100000 /* the probe: three pages */
#define PROBE_STUBS         0x00102000
#define PROBE_STUB          16
#define PROBE_DF_ENTRY      12 /* where in the text its address is */
#define PROBE_LANDING_ENTRY 16 /* likewise */
#define PROBE_NOTE          20 /* ported: its note */
#define PROBE_NOTE_BYTES    36
#define PROBE_CONTROL       0x00110000
#define PROBE_GDT           0x00111000
#define PROBE_IDT           0x00112000
#define PROBE_TSS           0x00113000
#define PROBE_DF_TSS        0x00113800
#define PROBE_STACK         0x00115000 /* the top; one page */
#define PROBE_INDEX         0x00114000 /* CTL_INDEX again: FIND_RESULT */
#define PROBE_DF_STACK      0x00117000
#define PROBE_SHARED        0x00116000 /* ported: the shared page, there */
#define PROBE_TEMPLATE      0x00118000 /* what the sandbox starts as */
#define PROBE_FPU           0x00110200 /* 512 bytes for FXRSTOR */
#define PROBE_DIRECTORY     0x00120000
#define PROBE_TABLES        0x00121000 /* for the first 32 MiB, 8 tables */
#define PROBE_CASES         0x00400000
#define PROBE_RESULTS       0x00800000
#define PROBE_CODE          0x00C00000 /* readable at ring 3 */
#define PROBE_SHIFT         7          /* bytes of a case, of a result: 128 */
#define PROBE_CASES_MAX     32768

/* One page for the cases to play with, nothing mapped around it. */
#define PROBE_SANDBOX     0x01400000
#define PROBE_SANDBOX_GPA 0x00130000

/* A page whose mapping the cases choose: entry PROBE_WINDOW_PTE of a table of
 * its own. With a large page the same bytes of the frame's 4 MiB. */
#define PROBE_WINDOW_PDE   6
#define PROBE_WINDOW_PTE   5
#define PROBE_WINDOW       0x01805000
#define PROBE_WINDOW_TABLE 0x00129000
#define PROBE_WINDOW_GPA   0x01005000 /* in PROBE_LARGE_GPA's 4 MiB */
#define PROBE_LARGE_GPA    0x01000000

/* The same in PAE format, for who starts with CTL_CR3 there. */
#define PROBE_PAE_PDPT         0x0012A000
#define PROBE_PAE_DIRECTORY    0x0012B000
#define PROBE_PAE_SANDBOX      0x0012C000 /* a page table */
#define PROBE_PAE_WINDOW_TABLE 0x0012D000
#define PROBE_PAE_WINDOW_PDE   12

/* Words in that table that map nothing of use: a shadowed page to write to. */
#define PROBE_TRACED       (PROBE_WINDOW_TABLE + 0x800)
#define PROBE_TRACED_WORDS 32
#define PROBE_TRACED_FROM  (PROBE_TRACED - 0x100) /* short distances reach */
#define PROBE_TRACED_TO    (PROBE_TRACED + 0x200)

/* Selectors. The first two are the boot loader's as well. */
#define PROBE_CS              0x08
#define PROBE_SS              0x10
#define PROBE_USER_CS         0x1B
#define PROBE_DS              0x23 /* flat data of DPL 3, for everybody */
#define PROBE_TSS_SELECTOR    0x28
#define PROBE_DF_TSS_SELECTOR 0x30
#define PROBE_LDT_SELECTOR    0x68
#define PROBE_SPARE_TSS       0x70 /* the TSS by another descriptor */
#define PROBE_BASED           0x78 /* data whose base is not 0 */
#define PROBE_GATE            0x80 /* a call gate for everybody to ring 0 */
#define PROBE_GATE_ABSENT     0x88
#define PROBE_GDT_BYTES       0x90
#define PROBE_LDT_BYTES       0x28

/* Descriptors for the cases to load (which sets their accessed bits): from
 * here on, and the LDT behind them. The probe keeps them as they are in the
 * copy. */
#define PROBE_GDT_CASES       (PROBE_GDT + 0x38)
#define PROBE_GDT_CASES_BYTES 0x80
#define PROBE_LDT             (PROBE_GDT + PROBE_GDT_BYTES)
#define PROBE_GDT_COPY        0x00119000 /* in the page behind the template */
#define PROBE_TRACED_COPY     0x00119200 /* zeros */

#define PROBE_TIMER  0x50 /* the vector of IRQ 0, masked and with no EOI */
#define PROBE_LANDED 0x41 /* the vector by which the landing ends a case */

/* The control page. */
#define CTL_INDEX  0
#define CTL_COUNT  4
#define CTL_CR0    8
#define CTL_CR4    12
#define CTL_RESULT 16
#define CTL_FRAME  20
#define CTL_FLAGS  24
#define CTL_CR3    28
#define CTL_GDTR   32
#define CTL_IDTR   40
#define CTL_PDE    48 /* where the window's entries are */
#define CTL_PTE    52
#define CTL_MSRS   64 /* {number, low, high}..., 0: as they shall be */

/* A case. */
#define CASE_FLAGS    0
#define CASE_PDE      4
#define CASE_PTE      8
#define CASE_CR0      12
#define CASE_CR4      16
#define CASE_EIP      20
#define CASE_EFLAGS   24
#define CASE_GPR      28 /* EDI ESI EBP ESP EBX EDX ECX EAX */
#define CASE_EFER     60
#define CASE_PDE_HIGH 64
#define CASE_PTE_HIGH 68
#define CASE_DS       72
#define CASE_ES       76
#define CASE_FS       80
#define CASE_GS       84

#define CASE_USER     1  /* at ring 3 */
#define CASE_ENTRIES  2  /* set PDE and PTE, load CR3 */
#define CASE_CONTROL  4  /* set CR0 and CR4 */
#define CASE_SANDBOX  8  /* sum up what changed in it, and change it back */
#define CASE_WIDE     16 /* entries have 8 bytes; EFER is set with CR0 and CR4 */
#define CASE_FLUSH    32 /* load CR3 before it */
#define CASE_SEGMENTS 64 /* set DS ES FS GS */
#define CASE_RESTORE                                                           \
    128 /* it may change what the probe does not look at else:                 \
           CR3 CR4, DRs, MSRs, GDTR IDTR LDTR TR */

/* The port (traps/pv_abi.h): where in the start info and in the shared page. */
#define PROBE_START_SHARED 12
#define PROBE_SHARED_CR2   40

/* A result. */
#define RESULT_DS       0
#define RESULT_ES       4
#define RESULT_FS       8
#define RESULT_GS       12
#define RESULT_GPR      16 /* as above; ESP only where the privilege changed */
#define RESULT_VECTOR   48
#define RESULT_ERROR    52
#define RESULT_EIP      56
#define RESULT_CS       60
#define RESULT_EFLAGS   64
#define RESULT_ESP      68
#define RESULT_SS       72
#define RESULT_CR2      76
#define RESULT_CR0      80
#define RESULT_PDE      84
#define RESULT_PTE      88
#define RESULT_SUM      92
#define RESULT_PDE_HIGH 96 /* of the wide ones */
#define RESULT_PTE_HIGH 100
#define RESULT_CR3      104 /* with CASE_RESTORE, as the next two */
#define RESULT_CR4      108
#define RESULT_DR7      112

#endif
