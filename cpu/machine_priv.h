/* SPDX-License-Identifier: MIT */
/* cpu/machine_priv.h - inside the machine (cpu/ only). */
#ifndef CPU_MACHINE_PRIV_H
#define CPU_MACHINE_PRIV_H

#include "cpu/clock.h"
#include "cpu/engine.h"
#include "cpu/machine.h"
#include "cpu/own.h"
#include "cpu/tlb.h"
#include "cpu/vmx_priv.h"

/* Linear addresses above the 4 GiB that software can name belong to the
 * machine itself: page n of machine memory is always mapped at ALIAS + n, so
 * that translations of its code can be named whatever the guest maps. */
#define LINEAR_ALIAS (1ull << 40)
/* Linear addresses of the machine's own few instructions (microcode). */
#define LINEAR_MICROCODE (1ull << 33)
/* Behind them a page of ones: what is fetched where nothing answers, and the
 * task that the engine believes to run (refused_return()). */
#define LINEAR_NO_TASK (LINEAR_MICROCODE + PAGE_BYTES)
/* The processor's way to descriptor tables in the monitor's own space. */
#define LINEAR_OWN (1ull << 36)
/* Where the engine finds them, and the twins of code pages. */
#define ENGINE_MICROCODE (1ull << 33)
#define ENGINE_TWINS     (1ull << 34)

enum {
    BITS = PAGE_BYTES / 64, /* a bit per byte of a page, in words */
    FETCH_SLOTS = 1024,     /* recently fetched pages */
    TWIN_LIMIT = 1 << 16,   /* pages of twins at most */
    OWN_STORES = 8,         /* then the page is stepped */
    CALM_STEPS = 64,        /* stepped without one: tried again as it was */
    WALK_SLOTS = 64,        /* translations kept for delivery */
    REFUNDS = 64,           /* faulting instructions kept */
    DEVICE_SITES = 64,      /* instructions that touched devices */
    DROPS = 8,              /* pages to drop before all are */
};

/* What is known of a page that holds code. It is made at the first fetch and
 * kept; code false means the page is data at present (and may be written). */
struct code_page {
    bool code;
    bool strict;   /* executed above CPL 0: watched instructions are sites */
    bool twinned;  /* its twin is up to date: fetch from there */
    bool stepped;  /* may only run one instruction at a time */
    bool forced;   /* stepped for another reason than its own stores */
    bool overlaps; /* decoded in two ways around a site */
    uint16_t cut;  /* where a LOCK form begins that its end cuts, or its size */
    uint8_t own_stores;
    uint8_t innocent;    /* what sites for devices did to memory, in a row */
    uint8_t calm;        /* steps since the last own store */
    uint32_t frame;      /* where it is in machine memory */
    uint32_t twin;       /* number of its twin, 0: none */
    unsigned generation; /* changes when what is known here is forgotten */
    unsigned changes;    /* and with every byte that changes */
    uint16_t longest;    /* of the blocks that begin here, in bytes */
    uint16_t entered;    /* bytes at its start that blocks before it reach */
    const struct code_page *next;    /* where blocks run over into: which, */
    unsigned next_generation;        /* and what it was */
    uint64_t interior[BITS];         /* bytes inside one */
    uint64_t sites[BITS];            /* bytes the twin replaces by INT3 */
    uint32_t blocks[PAGE_BYTES];     /* of the block that starts here */
    uint32_t records[RECORD_CHAINS]; /* of blocks that count themselves */
};

/* A page of code that is being written, and what it was. */
struct dirty_page {
    struct code_page *page;
    uint8_t before[PAGE_BYTES];
};

/* What is kept of a block: its instructions, whether the engine cut it for its
 * own reasons, and its size (0: not looked at yet); the same address can start
 * blocks of different lengths. */
enum {
    BLOCK_COUNT = 0x0FFF,
    BLOCK_HOOKED = 0x1000, /* it cannot count itself */
    BLOCK_OPENS = 0x2000,  /* may allow interrupts: nor may it */
    BLOCK_SPANS = 0x4000,  /* runs over into the next page */
    BLOCK_SPLIT = 0x8000,
    BLOCK_SIZE_SHIFT = 16,
};

struct fetch_slot {
    uint64_t page; /* linear page number + 1; 0: empty */
    struct code_page *code;
};

/* A translation and the entries it came from (cpu/linear.c). */
struct walk_slot {
    uint64_t key; /* 0: empty */
    uint64_t root;
    uint64_t eptp;        /* 0: entries have machine addresses, or else */
    uint64_t ept_flushes; /* the nested tables' had not changed since */
    unsigned entries;
    unsigned entry_bytes;
    uint64_t entry[PAGING_LEVELS];
    const uint8_t *at[PAGING_LEVELS]; /* in memory, or a PDPTE register */
    unsigned references, nested;
    ma_t page;
};

/* How many instructions of a block count before one that faulted. */
struct refund {
    const struct code_page *page; /* NULL: empty, or the block leaves it */
    unsigned changes;             /* of the page's */
    uint64_t from;                /* the block */
    uint32_t linear;
    uint32_t count;
    bool code32;
};

/* An instruction whose access to a device was refused. */
struct device_site {
    const struct code_page *page;
    uint32_t linear;
    unsigned refusals;
};

/* Why the TLB-fill hook refused an access. */
enum refusal {
    REFUSED_NOT,
    REFUSED_FAULT,     /* a page fault */
    REFUSED_STEP,      /* fetch from a page that must be stepped */
    REFUSED_OWN_STORE, /* a block writes to its own page */
    REFUSED_DEVICE,    /* no memory there: the access is done by hand */
    REFUSED_WRAPPED,   /* Jcc below 0: the engine's EIP has 64 bits */
    REFUSED_OWN,       /* an access to the monitor's own space */
};

struct machine {
    struct clock clock; /* first: the block hook may be called with either */
    struct engine engine;
    struct machine_client client;
    struct trace *trace;
    struct memory memory;
    struct cpu_state extra; /* MSRs and debug registers; the rest is live */
    struct paging paging;   /* what the registers say of translation */
    struct tlb tlb;
    struct vmx vmx;

    struct trace_clock stamps;

    bool waiting; /* the block hook has to look up at once only for an
                     interrupt, which may wait for IF */
    uint64_t deadline;
    const volatile bool *interrupted; /* machine_set_interrupted() */
    bool attend;
    bool intr;
    bool nmi;

    uint64_t event_at; /* the last that machine_event_taken() was told of */

    /* One run. */
    bool running; /* inside the engine */
    bool asked;   /* we stopped it (else: HLT) */
    bool stop, halted;
    bool step_requested;
    bool step_next;      /* the same, but interrupts and stops come first */
    bool stepping;       /* one instruction, with the engine's trap flag */
    bool stepped;        /* the step's instruction retired */
    uint32_t stepped_at; /* where that is, linear */
    uint8_t weight;      /* of that instruction */
    bool mid_block;      /* stepped into a block: no interrupt here */
    bool creep;          /* step on to where one may come */
    enum refusal refused;
    struct fault refused_fault;
    bool refused_fetch;
    bool stepped_fetch; /* the engine may fetch from a stepped page */
    bool device_once;   /* one instruction may reach devices by itself */
    bool flush_after;   /* the intercepted instruction wrote CR3 */
    const char *broken;
    bool triple;
    struct arch_chain chain;

    /* Code pages by frame number. */
    struct code_page **pages;
    struct fetch_slot fetch[FETCH_SLOTS];
    struct walk_slot walks[WALK_SLOTS];
    struct ept_slot ept[EPT_SLOTS];
    uint64_t ept_flushes; /* what is kept there from before is not valid */
    struct refund refunds[REFUNDS];
    struct device_site devices[DEVICE_SITES];
    uint8_t *twins;
    uint32_t twin_count;
    unsigned drops;             /* of code pages, so far */
    struct dirty_page dirty[8]; /* written by the instruction being stepped */
    unsigned dirty_count;
    uint8_t *microcode;
    unsigned watch;
    uint32_t own_first, own_last; /* the monitor's code */
    struct own own;               /* and its linear space */

    /* Pages to drop from the engine's TLB before it runs on. */
    uint32_t drop[DROPS];
    unsigned drop_count;

    uc_hook hooks[16];
    unsigned hook_count;
};

/* machine.c */
/* machine_set_state(), but the TLB keeps what it has. */
void machine_put_state(struct machine *m, const struct cpu_state *s);

/* walk.c */
/* The registers that say how to translate may have changed. */
void walk_configure(struct machine *m);
/* Translate as the processor does for an access (ACC_), setting A and D.
 * False: f. */
bool walk_access(struct machine *m, uint32_t linear, unsigned access,
                 struct paging_walk *w, struct fault *f);
bool walk_fill(uc_engine *uc, uint64_t address, uc_mem_type type,
               uc_tlb_entry *result, void *user);

/* linear.c */
/* What is kept of walks through these nested tables. */
void linear_forget(struct machine *m, uint64_t eptp);

/* code.c */
bool code_fetched(struct machine *m, uint64_t linear, ma_t ma,
                  uc_tlb_entry *result);
bool code_written(struct machine *m, ma_t ma, uc_tlb_entry *result);
void code_drop(struct machine *m, ma_t page);
/* Every translation, when the clock has too many records. */
void code_forget_all(struct machine *m);
void code_stepped(struct machine *m, uint32_t linear);
/* The page of a linear address where an instruction is replaced by INT3, or
 * NULL. */
struct code_page *code_site(struct machine *m, uint32_t linear);
bool code_needs_step(struct machine *m, uint32_t linear);
/* The page of a linear address that is being executed. */
struct code_page *code_executing(struct machine *m, uint64_t linear,
                                 ma_t *page);
/* Replace the first byte of the instruction at an offset where it is fetched:
 * by INT3, or by a prefix that makes a plain NOP of PAUSE, for which the engine
 * would leave its loop each time. */
enum { OP_INT3 = 0xCC, OP_INTO = 0xCE, OP_NOP = 0x90 };
enum { PREFIX_OPERAND_SIZE = 0x66, PREFIX_REP = 0xF3 };
void code_make_site(struct machine *m, struct code_page *p, unsigned offset,
                    uint8_t byte);
static inline bool code_is_pause(const uint8_t *bytes, const struct insn *insn)
{
    return insn->length == 2 && bytes[0] == PREFIX_REP && bytes[1] == OP_NOP;
}
/* The instruction at an offset, executed before, is a site from now on. */
void code_make_device_site(struct machine *m, struct code_page *p,
                           unsigned offset);
/* An instruction is about to be stepped: there may be no site inside. */
void code_stepping(struct machine *m, uint32_t linear, unsigned length);
/* It cannot be replaced: other instructions overlap it. */
void code_overlaps(struct machine *m, struct code_page *p);
/* Bytes at a linear address as the processor would fetch them (no side
 * effects); how many could be had. */
size_t code_bytes(struct machine *m, uint32_t linear, uint8_t *out,
                  size_t bytes);
/* The same of an instruction in execution, whose page needs no walk. */
size_t code_executed_bytes(struct machine *m, uint32_t linear, uint8_t *out,
                           size_t bytes);

/* block.c */
/* How many cycles the instruction at a linear address takes by itself. */
unsigned code_weight(struct machine *m, uint32_t linear);
void code_block(uc_engine *uc, uint64_t address, uint32_t size, void *user);
/* Called by its code before a block that counts itself, when the countdown does
 * not suffice or the engine is asked to stop (only record and user count). */
void code_counted(uc_engine *unused, uint64_t record, uint32_t size,
                  void *user);
/* Retired instructions between the running block's start and linear: take
 * back what was counted ahead for those behind it. */
void code_refund(struct machine *m, uint32_t linear);
/* Bytes [from, to) of a page changed: blocks of them are not known any more. */
void code_look_again(struct code_page *p, unsigned from, unsigned to);
/* May an interrupt be taken after this instruction, wherever the engine cuts
 * its blocks? */
bool code_boundary_after(const struct insn *insn);
/* Is the instruction at linear, where the engine is about to begin a block,
 * only the continuation of the last block? */
bool code_continues(struct machine *m, uint64_t linear);
/* Straight code without a branch lets interrupts in where it comes to another
 * page. */
bool code_crosses(const struct machine *m, uint64_t from, uint64_t to);

/* intercept.c */
bool intercept_wanted(const struct machine *m, const struct insn *insn,
                      bool strict);
/* Execute the intercepted instruction at CS:EIP exactly. The clock has counted
 * it; where it faults, it takes that back. True: it retired. */
bool intercept_execute(struct machine *m, const struct insn *insn);

/* machine.c */
/* Tables, task and control registers of the processor's state. */
void machine_get_system(const struct machine *m, struct cpu_state *s);

/* event.c */
/* "exception", "interrupt", ... */
const char *event_source_name(const struct arch_event *event);
void run_interrupt(uc_engine *uc, uint32_t vector, void *user);
bool run_invalid(uc_engine *uc, void *user);
void machine_fault(struct machine *m, const struct fault *f);
void machine_deliver(struct machine *m, const struct arch_event *event);
/* The usual case (arch_deliver_plain()). False: nothing has happened. */
bool machine_deliver_plain(struct machine *m, const struct arch_event *event);
/* An event is being delivered, and s is what it leads to: count and tell. */
void machine_delivered(struct machine *m, const struct arch_event *event,
                       const struct cpu_state *s);
/* A fault or software interrupt that emulation came to. */
void run_emulated_event(struct machine *m, const struct arch_event *event);
void run_single_step(struct machine *m); /* #DB with DR6.BS */

/* step.c */
/* Step the instruction at CS:EIP, wherever it is. */
enum machine_stop step_one(struct machine *m);
/* The same, always through the engine's own trap flag. */
enum machine_stop step_trapped(struct machine *m, uint32_t linear);

/* refused.c */
/* A page fault, and an instruction that touches a device's memory, both at an
 * exact EIP. */
void refused_page_fault(struct machine *m);
/* Was it a page fault that the interrupt hook may deal with? */
bool refused_inside(const struct machine *m);
/* The engine could not fetch what follows in the next page, and has executed
 * nothing of the block so far: its EIP is not where the fault is. */
bool refused_ahead(const struct machine *m);
void refused_device(struct machine *m);
/* An access to the monitor's own space, likewise: by hand for the monitor's
 * instructions, a page fault for the guest's. */
void refused_own(struct machine *m);
/* The engine raised this at CPL 0. If the instruction is an IRET, which may
 * have deserved another fault or none, it is done by hand. False: it is not. */
bool refused_return(struct machine *m, uint32_t vector);

/* own.c */
/* When the clock has found the engine's code. */
void own_create(struct machine *m);
/* In the own space: may this be fetched? */
bool own_allows_fetch(const struct machine *m, uint32_t linear);
/* Is there nothing at this address, for an access that is done by hand? */
bool own_hides(const struct machine *m, uint32_t linear);
/* The page fault of an access (ACC_) to nothing. */
struct fault own_fault(const struct machine *m, uint32_t linear,
                       unsigned access);
/* Does the instruction at linear belong to those that reach the monitor's
 * data? */
bool own_instruction(const struct machine *m, uint32_t linear);
/* May it write there now? */
bool own_writable(const struct machine *m, uint32_t linear);
/* The processor reads descriptor tables that are in the own space by addresses
 * that no instruction has. After they were loaded. */
void own_hide_tables(struct machine *m);
/* A block of the monitor's code that called the block hook, to return to back:
 * its own instructions may reach its data from now on. */
void own_block(struct machine *m, uint64_t address, uint32_t bytes,
               uint8_t *back);

/* device.c */
/* The instruction at a linear address was refused a device's memory. */
void device_refused(struct machine *m, uint32_t linear,
                    const struct insn *insn);
/* The site at a linear address, if it moves to or from a device: *insn. False:
 * nothing has happened. */
bool device_quick(struct machine *m, struct code_page *p, uint32_t linear,
                  struct insn *insn);

/* drops.c */
/* Drop single pages from the engine's TLB. */
void drops_run(struct machine *m);
/* Empty it. The model keeps what it has. */
void drops_engine(struct machine *m);
/* The TLB loses the page of an address, or what a scope says. */
void drops_page(struct machine *m, uint16_t tag, uint32_t linear);
void drops_flush(struct machine *m, enum tlb_scope scope, uint32_t which);
/* From now on the TLB serves a guest with this tag and these nested tables
 * (cpu/tlb.h). */
void drops_switch(struct machine *m, uint16_t tag, uint32_t nested);
/* Let the clock see where the engine's code is. */
void drops_seek(struct machine *m);

/* run.c */
void run_ask(struct machine *m); /* the engine returns at the next boundary */
/* Run the engine until it stops, and handle why. MACHINE_STOPPED: go on. */
enum machine_stop run_execute(struct machine *m);
void machine_break(struct machine *m, const char *what);
void machine_look(struct machine *m); /* recompute attention */

/* Does something wait for the interrupt flag? */
static inline bool run_interrupt_waits(const struct machine *m)
{
    return m->intr || vmx_window_wanted(m);
}

static inline void machine_look_now(struct machine *m)
{
    m->waiting = false;
    clock_attend_from(&m->clock, 0);
}

/* cpuid.c */
int cpuid_hook(uc_engine *uc, void *user);

static inline struct fetch_slot *fetch_slot(struct machine *m, uint64_t linear)
{
    return &m->fetch[(linear >> PAGE_SHIFT) % FETCH_SLOTS];
}

static inline uint32_t live_linear(const struct machine *m)
{
    return (uint32_t)(m->engine.live.seg[SEG_CS].base + *m->engine.live.eip);
}

static inline uint8_t live_cpl(const struct machine *m)
{
    return (uint8_t)(*m->engine.live.hflags & HF_CPL);
}

/* Is this in the monitor's own space? */
static inline bool own_has(const struct machine *m, uint32_t linear)
{
    return m->own.placed && linear - m->own.linear < OWN_PAGES * PAGE_BYTES;
}

/* Is this the monitor's own code? */
static inline bool is_own_code(const struct machine *m, uint32_t linear)
{
    return linear >= m->own_first && linear <= m->own_last;
}

static inline ma_t code_page_at(const struct code_page *p)
{
    return MA((uint64_t)p->frame << PAGE_SHIFT);
}

static inline bool bit_test(const uint64_t *bits, unsigned n)
{
    return bits[n / 64] >> (n % 64) & 1;
}

static inline void bit_clear(uint64_t *bits, unsigned n)
{
    bits[n / 64] &= ~(1ull << (n % 64));
}

static inline void bit_set(uint64_t *bits, unsigned n)
{
    bits[n / 64] |= 1ull << (n % 64);
}

#endif
