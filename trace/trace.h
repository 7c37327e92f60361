/* SPDX-License-Identifier: MIT */
/* trace/trace.h - the event stream and the counters.
 *
 * Everything observable is an event. Statistics, the screens, trace files, the
 * comparison and the grader read the stream through a sink; none of them
 * reaches into the machine or the monitor, and nothing here calls back into
 * them. With no sink attached an event costs a counter and a test.
 *
 * Units: cycles are virtual (see cpu/machine.h). Addresses say which space
 * they belong to in their field's name: gva, gpa, ma.
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The class of a page-fault exit. Exactly one each; they sum to the total. */
enum fault_class {
    FC_TRUE,   /* T  the guest's own tables do not allow the access */
    FC_HIDDEN, /* H  they do; the VMM's table has no entry yet */
    FC_DIRTY,  /* D  they do; the VMM withheld a right to see the first use */
    FC_TRACE,  /* W  a write to a guest table that the VMM watches */
    FC_MMIO,   /* M  no memory behind it: a device */
    FC_PAGED_OUT, /* P  the PMap has no machine frame */
    FC_SPURIOUS,  /* X  nothing stands in the way any more */
    FC_COUNT,
};

/* Why the processor left the guest. */
enum exit_reason {
    EXIT_PAGE_FAULT,
    EXIT_PRIVILEGED, /* a privileged instruction trapped (#GP) */
    EXIT_PATCHED,    /* a translated site's trap (bt-static) */
    EXIT_IO,         /* IN, OUT, INS, OUTS */
    EXIT_SOFTWARE,   /* INT n */
    EXIT_HYPERCALL,  /* a paravirtual guest asks for something */
    EXIT_EXCEPTION,  /* any other exception: reflected to the guest */
    EXIT_CPUID,
    EXIT_INTERRUPT, /* left to deliver an interrupt */
    EXIT_HALT,
    EXIT_STEP,      /* single step on the VMM's behalf */
    EXIT_CALLOUT,   /* translated code calls the monitor (bt) */
    EXIT_TRANSLATE, /* it reached code without a translation, or a link */
    EXIT_WINDOW,    /* interrupts were allowed while one waited */
    /* Of VMX alone (hvm): */
    EXIT_CR_ACCESS,
    EXIT_INVLPG,
    EXIT_MSR,
    EXIT_TASK_SWITCH,
    EXIT_TRIPLE_FAULT,
    EXIT_EPT_VIOLATION, /* the page fault of nested tables */
    EXIT_EPT_MISCONFIGURATION,
    EXIT_VMX, /* the guest's own VMX instructions; a refused entry */
    EXIT_COUNT,
};

/* What arg[0], arg[1], ... of each kind mean, in this order, and what text
 * holds. trace/emit.h has a constructor for each; trace/describe.c the same as
 * data.
 *
 *   EXIT       vector error gva vmx qualification    text: VMX reason
 *              (vmx: the basic exit reason, hvm alone, with text)
 *   EMULATE    bytes operand value                   text: mnemonic
 *   SILENT     bytes got expected fault              text: mnemonic
 *              (fault: the vector that was right instead; 0: none)
 *   FAULT      gva gpa ma error guest_error entry    text: -
 *              (error is the real one; guest_error what the guest is told)
 *   FILL       gva gpa ma entry_ma error entry       text: -
 *              (entry, of both: the VMM's whole table entry, of 4 or 8 bytes)
 *   TABLE      table_ma gpa level tables             text: cause
 *              (level 2 is a directory; tables: how many there are now)
 *   FLUSH      entries gva cr3                       text: cause
 *   INJECT     vector error cr2 cs target has_error  text: cause
 *   DELIVER    vector error cr2 cs target has_error  text: cause
 *   IO         port bytes value write                text: device
 *   MMIO       gpa bytes value write gva             text: device
 *   UNCLAIMED  address bytes value write memory      text: -
 *              (memory 0: a port; 1: a guest-physical address)
 *   HALT       interrupts                            text: -
 *   MODE       cr0 cr3 cr4 old_cr0 old_cr4           text: cause
 *   RELOCATE   from to cr3                           text: cause
 *   HYPERCALL  number arg1 arg2 arg3 result batched  text: name
 *              (batched 1: an entry of a multicall)
 *   FRAME      gpa ma slot resident                  text: cause
 *              (slot: of the host's swap, 0: none; resident: the machine
 *              frames that the VM has now)
 *   REFUSE     refusal entry_ma value gpa            text: reason
 *              (value was to be put into the entry there; entry_ma 0: it is
 *              what was to be done something with; gpa: of its frame)
 *   STOP       status address                        text: reason
 */
enum event_kind {
    EV_EXIT,      /* an exit: reason, vector, error */
    EV_EMULATE,   /* a sensitive instruction done for the guest */
    EV_SILENT,    /* a sensitive instruction that did not trap */
    EV_FAULT,     /* a page fault and its class */
    EV_FILL,      /* an entry put into the VMM's table */
    EV_TABLE,     /* a VMM table made, dropped, reclaimed */
    EV_FLUSH,     /* entries removed: cause, how many */
    EV_INJECT,    /* an event delivered to the guest by the VMM */
    EV_DELIVER,   /* an event delivered by the bare machine */
    EV_IO,        /* a port access */
    EV_MMIO,      /* a device memory access */
    EV_UNCLAIMED, /* an access nobody answers */
    EV_HALT,
    EV_MODE,      /* paging on/off, privilege model changes */
    EV_TRANSLATE, /* guest code translated: a unit */
    EV_RELOCATE,  /* the VMM moved out of the guest's way */
    EV_HYPERCALL, /* a request of a paravirtual guest, done */
    EV_FRAME,     /* a guest frame gets or loses its machine frame */
    EV_REFUSE,    /* a change of its page tables, refused */
    EV_STOP,      /* the end of a run and why */
    EV_COUNT,
};

/* Hypercalls by number, as traps/pv_abi.h gives them. */
enum { HYPERCALLS = 17 };
const char *hypercall_name(unsigned number); /* "mmu_update" */

/* Why a change of a paravirtual guest's page tables was refused.
 * traps/pv_abi.h has an error code for each. */
enum table_refusal {
    REFUSAL_NONE,       /* it was done */
    REFUSAL_ALIGNMENT,  /* not the address of a page */
    REFUSAL_FRAME,      /* not a frame of this guest's memory */
    REFUSAL_FLAGS,      /* bits that an entry must not have */
    REFUSAL_RESERVED,   /* the directory entry of the VMM's own space */
    REFUSAL_TABLE,      /* would be writable, and is a page table */
    REFUSAL_WRITABLE,   /* would be a page table, and is writable */
    REFUSAL_LEVEL,      /* a table where a directory is wanted, or vice versa */
    REFUSAL_PINNED,     /* pinned already */
    REFUSAL_NOT_PINNED, /* cannot be unpinned */
    REFUSAL_NO_TABLE,   /* no page table covers the address */
    REFUSALS,
};
const char *refusal_name(enum table_refusal why);   /* "page_table" */
const char *refusal_reason(enum table_refusal why); /* a clause */

/* One event. Which arg means what is said by the kind's row in the table
 * (event_describe()); unused ones are 0. */
enum { EVENT_ARGS = 6 };
struct event {
    uint64_t seq;
    uint64_t cycles;
    uint32_t eip; /* guest's, of the instruction concerned */
    uint8_t kind; /* enum event_kind */
    uint8_t vm;
    uint8_t cls; /* EV_FAULT: enum fault_class; EV_EXIT: enum exit_reason */
    uint8_t cpl; /* the guest's (virtual) privilege level */
    uint32_t arg[EVENT_ARGS];
    uint64_t entry;   /* in place of the arg that is a FIELD_ENTRY */
    const char *text; /* static string: mnemonic, cause, device name; or NULL */
};

enum field_format { FIELD_NONE, FIELD_DEC, FIELD_HEX, FIELD_ENTRY };
struct event_field {
    const char *name; /* "gva", "gpa", "ma", "error", ... */
    enum field_format format;
};
struct event_description {
    const char *name;      /* "fault" */
    char letter;           /* the screens' letter; FC_ letters for faults */
    const char *text_name; /* what text holds, e.g. "mnemonic"; NULL: none */
    struct event_field field[EVENT_ARGS];
};
const struct event_description *event_describe(enum event_kind kind);
/* The value of field i, which must be one that the kind has. */
uint64_t event_value(const struct event *e, unsigned i);
/* How many digits an entry is shown with: 8, or 16 if it needs them. */
int entry_digits(uint64_t entry);
const char *fault_class_name(enum fault_class cls); /* "hidden" */
char fault_class_letter(enum fault_class cls);      /* 'H' */
const char *exit_reason_name(enum exit_reason reason);

/* One sentence for people (--plain and the trap log's long form). Returns the
 * length that was wanted, like snprintf. */
int event_sentence(const struct event *e, char *buffer, size_t bytes);

/* Everything that is counted. The names are those of the JSON of --stats. */
struct counters {
    uint64_t blocks;
    uint64_t exits[EXIT_COUNT];
    uint64_t page_faults[FC_COUNT];
    uint64_t interrupts[256]; /* delivered to the guest, by vector */
    uint64_t emulated;        /* instructions done for the guest */
    uint64_t silent;          /* sensitive instructions seen lost */
    uint64_t tlb_fills;       /* hardware TLB: walks that it asked for */
    uint64_t tlb_refills;     /* hits that the library asked for (varies) */
    uint64_t tlb_evictions;
    uint64_t tlb_flushes;
    uint64_t tlb_page_flushes;
    uint64_t walks;             /* of tables, by the hardware */
    uint64_t walk_references;   /* their memory references */
    uint64_t nested_references; /* those among them to nested tables */
    uint64_t vmm_references;    /* of the VMM's walks of guest tables */
    uint64_t mmu_flushes;       /* the VMM's tables emptied (tlb) */
    uint64_t mmu_fills;
    uint64_t mmu_prefetched;  /* entries that no fault asked for */
    uint64_t mmio_entries;    /* made, to remember a device by */
    uint64_t mmio_remembered; /* faults that one of these answered */
    uint64_t mmu_large;       /* tables made whose memory is mapped at once */
    uint64_t mmu_split;       /* and those that had to be filled after all */
    uint64_t mmu_invlpg;
    uint64_t mmu_pte_write; /* traced writes to guest tables */
    uint64_t traces_opened; /* of these, with the page let go, not emulated */
    uint64_t mmu_unsync;    /* page tables that went out of sync */
    uint64_t mmu_flooded;   /* pages given up: no tables any more */
    uint64_t mmu_recycled;  /* tables reclaimed under the memory limit */
    uint64_t mmu_recycled_dead; /* of these, that nothing could use */
    uint64_t mmu_recycled_idle; /* not in the current address space */
    uint64_t mmu_remade;        /* evicted not long ago, and made again */
    uint64_t mmu_cache_miss;    /* tables made */
    uint64_t mmu_shadow_zapped; /* tables dropped */
    uint64_t mmu_tables;        /* now */
    uint64_t mmu_tables_peak;
    uint64_t cr3_writes;
    uint64_t hypercalls[HYPERCALLS]; /* entries of multicalls included */
    uint64_t multicall_entries;
    uint64_t mmu_updates;        /* entries of mmu_update */
    uint64_t refusals[REFUSALS]; /* of changes of page tables, by reason */
    uint64_t mmu_typed;          /* direct: frames that became page tables */
    uint64_t upcalls;            /* events told to a paravirtual guest */
    /* The PMap: first what is now, in frames. */
    uint64_t pmap_ram;      /* of the guest's */
    uint64_t pmap_resident; /* of the machine's that the VM has */
    uint64_t pmap_resident_peak;
    uint64_t pmap_swapped;   /* in the host's swap */
    uint64_t pmap_ballooned; /* given back by the guest */
    uint64_t pmap_sharing;   /* guest frames that share */
    uint64_t pmap_shared;    /* the machine frames that they share */
    uint64_t pmap_zero_fills, pmap_swap_ins, pmap_swap_outs;
    uint64_t pmap_zero_outs; /* taken away without I/O: full of zeros */
    uint64_t pmap_merges, pmap_cow_breaks, pmap_scanned;
    uint64_t io_reads, io_writes, mmio_accesses, unclaimed;
    uint64_t code_pages, code_rewritten, intercepts; /* the machine's own */
    /* The translator (bt). Units are made one by one, instructions and bytes
     * are theirs. */
    uint64_t bt_units, bt_guest_insns, bt_bytes, bt_links, bt_flushes;
    uint64_t bt_rewrites; /* writes to pages that were translated */
    uint64_t bt_adapted, bt_unadapted;
    uint64_t model_cost; /* cycles by the cost table, trace/cost.h */
};

struct trace_sink {
    void (*event)(void *ctx, const struct event *e);
    void *ctx;
    struct trace_sink *next;
};

/* Whoever stamps the events: the machine's cycles. */
struct trace_clock {
    uint64_t (*now)(const void *ctx);
    const void *ctx;
};

struct trace {
    struct counters count;
    uint64_t seq;
    const struct trace_clock *clock;
    struct trace_sink *sinks;
    uint8_t vm;
};

/* clock stays the caller's; NULL: every stamp is 0. */
void trace_init(struct trace *t, const struct trace_clock *clock);
void trace_attach(struct trace *t, struct trace_sink *sink);
void trace_detach(struct trace *t, struct trace_sink *sink);
void trace_publish(struct trace *t, struct event *e); /* to the sinks */

/* Emit. seq and cycles are filled in. Counting is the caller's (it knows which
 * counter), so that counters hold with no reader too. */
static inline void trace_emit(struct trace *t, const struct event *e)
{
    t->seq++;
    if (t->sinks) {
        struct event copy = *e;
        trace_publish(t, &copy);
    }
}

/* Exporters. A file sink writes each event as it comes and keeps the first
 * write error, which trace_file_close reports (0 or an errno). The ending of
 * path chooses the format: .jsonl, .csv; others are refused with NULL and a
 * line in *error (static). */
struct trace_file;
struct trace_file *trace_file_open(const char *path, struct trace *t,
                                   const char **error);
int trace_file_close(struct trace_file *f);

/* A bounded ring of the latest events, for the screens. */
struct trace_ring;
struct trace_ring *trace_ring_create(size_t capacity, struct trace *t);
void trace_ring_destroy(struct trace_ring *r);
/* Copy the newest n events (oldest of them first); returns how many. */
size_t trace_ring_latest(const struct trace_ring *r, struct event *out,
                         size_t n);

#endif
