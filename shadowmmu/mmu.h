/* SPDX-License-Identifier: MIT */
/* shadowmmu/mmu.h - memory virtualization: one interface, several techniques.
 *
 * The guest maps virtual to guest-physical, PMap maps guest-physical to
 * machine, and the processor walks only one table: the VMM's, which must hold
 * the composition. A technique (struct mmu_technique) decides when that table
 * is filled and emptied. The guest must not be able to tell which one is on.
 *
 * Faults are classified here, once, for every technique (mmu_fault).
 *
 * Reference: SDM 3A, "Paging", "Caching Translation Information".
 */
#ifndef SHADOWMMU_MMU_H
#define SHADOWMMU_MMU_H

#include "cpu/paging.h"
#include "cpu/state.h"
#include "shadowmmu/pmap.h"
#include "trace/trace.h"

/* The outcome of walking the guest's own tables is a struct paging_walk. */
static inline gpa_t walk_gpa(const struct paging_walk *w)
{
    return GPA(w->address);
}

static inline uint32_t walk_gfn(const struct paging_walk *w)
{
    return (uint32_t)(w->address >> PAGE_SHIFT);
}

/* CR0.PG was on: the guest's tables were read. */
static inline bool walk_paged(const struct paging_walk *w)
{
    return w->level != 0;
}

/* A page of 2 or 4 MiB. */
static inline bool walk_large(const struct paging_walk *w)
{
    return w->page_shift != PAGE_SHIFT;
}

/* What the run loop has to do about a fault. */
enum mmu_action {
    MMU_RESUME,    /* filled (or nothing to do): run on */
    MMU_INJECT,    /* true fault: deliver result.fault to the guest */
    MMU_EMULATE,   /* device memory: emulate the instruction, or mmu_open, run
                      it alone, mmu_stepped */
    MMU_WRITE,     /* a traced write: likewise (mmu_write sees to the tables) */
    MMU_NO_MEMORY, /* the machine is out of frames */
};

struct mmu_result {
    enum fault_class cls;
    enum mmu_action action;
    struct fault fault;
    struct paging_walk walk; /* level 0 also where none was needed: the VMM
                                knew what is there */
    ma_t ma;                 /* machine address behind the access, if any */
    uint64_t entry;          /* the VMM's table entry after the fault */
    ma_t entry_ma;
};

/* The VMM's tables, as the processor is to walk them: CR3, CR4.PAE, EFER.NXE,
 * and what a load of CR3 reads from the four entries of a PAE root. */
struct mmu_root {
    ma_t ma;
    bool pae, nx;
    uint64_t pdpte[PDPTES];
};

/* What the technique needs of the hardware. */
struct mmu_hardware {
    void (*set_root)(void *ctx, const struct mmu_root *root);
    void (*flush_all)(void *ctx); /* drop TLB entries */
    void (*flush_page)(void *ctx, uint32_t linear);
    /* The two above are about the root that is set. A right was withdrawn,
     * under whatever root: for who lets the TLB keep entries of several. May be
     * NULL.
     */
    void (*withdrawn)(void *ctx);
    /* The VMM itself wrote the guest's memory there (accessed and dirty bits,
     * emulated stores): the processor may have code of it. May be NULL. */
    void (*memory_written)(void *ctx, ma_t ma, uint64_t bytes);
    void *ctx;
};

/* A page that the VMM watches for another reason than paging (descriptor
 * tables, code): told after each write to it which bytes, within one page;
 * where that is not known (mmu_stepped) those that changed, which may be none.
 */
typedef void mmu_watch_fn(void *ctx, gpa_t gpa, uint32_t bytes);

struct mmu;

/* Optimizations: what a technique can do without, one bit each, so that one
 * can see what each buys. */
enum mmu_optimization {
    MMU_WALK_CACHE = 1,    /* the VMM's own walks are remembered */
    MMU_PREFETCH = 2,      /* a hidden fault fills the neighbours too */
    MMU_GLOBAL = 4,        /* tlb: global pages survive a CR3 write */
    MMU_UNSYNC = 8,        /* shadow: page tables may be out of sync */
    MMU_UNSHADOW = 16,     /* shadow: what is no table any more is given up */
    MMU_NESTED_LARGE = 32, /* nested: pages of 2 MiB where memory allows */
    MMU_NESTED_AD = 64,    /* nested: accessed and dirty bits are kept */
    MMU_VPID = 128,        /* hvm: TLB entries outlive exits and entries */
    MMU_SPACE_VPID = 256,  /* hvm, shadow: and the guest's CR3 writes */
    MMU_MMIO_CACHE = 512,  /* shadow, tlb: device accesses are remembered */
    MMU_EVICTION = 1024,   /* shadow, tlb: not just the oldest table goes */
    MMU_LARGE = 2048,      /* shadow: large pages where memory allows */
    MMU_OPTIMIZATIONS = 4095,

    /* Those of the processor's TLB, under hvm; of pieces of machine memory. */
    MMU_TAGS = MMU_VPID | MMU_SPACE_VPID,
    MMU_PIECES = MMU_NESTED_LARGE | MMU_LARGE,
};

/* Their names for options and screens; the last has none. */
struct mmu_optimization_name {
    const char *name;
    unsigned bit;
};
extern const struct mmu_optimization_name mmu_optimizations[];

struct mmu_config {
    const struct memory *memory;
    struct frames *frames;
    struct pmap *pmap;
    /* CR0, CR3, CR4, EFER and the PDPTEs as the guest believes. */
    const struct cpu_state *vcpu;
    struct mmu_hardware hardware;
    struct trace *trace;
    uint64_t table_limit_bytes; /* memory for tables; 0: a sane default */
    unsigned without;       /* enum mmu_optimization: the ones switched off */
    unsigned nested_levels; /* nested: 2, 3 or 4 */
    mmu_watch_fn *watched;  /* may be NULL */
    void (*overlay_wanted)(void *ctx); /* the guest maps where the VMM sits */
    void *ctx;
};

struct mmu_technique {
    const char *name;       /* "shadow": options, counters, screens */
    const char *blurb;      /* one line for --help and the compare screen */
    const char *only_cpu;   /* the one --cpu it goes with; NULL: every VMM's */
    unsigned optimizations; /* enum mmu_optimization: what it has of them */
    struct mmu *(*create)(const struct mmu_config *config);
};

extern const struct mmu_technique mmu_tlb_emulation; /* tlb/tlb.c */
extern const struct mmu_technique mmu_shadow;        /* shadowmmu/shadow.c */
extern const struct mmu_technique mmu_direct;        /* shadowmmu/direct.c */
extern const struct mmu_technique mmu_nested;        /* shadowmmu/nested.c */

void mmu_destroy(struct mmu *m);
const struct mmu_technique *mmu_technique(const struct mmu *m);

/* The processor faulted at a linear address with an error code of the real
 * walk. Classifies, acts, counts, emits EV_FAULT (and EV_FILL, EV_TABLE...). */
void mmu_fault(struct mmu *m, uint32_t linear, uint32_t error, uint32_t eip,
               struct mmu_result *result);

/* After MMU_WRITE: open the page for the one instruction that wants to write
 * there. After MMU_EMULATE: let the page lead to a machine address without
 * memory, which the machine asks its client for. False: no machine frame is
 * left. */
bool mmu_open(struct mmu *m);

/* Where such a machine address leads in the guest. */
gpa_t mmu_opened(const struct mmu *m, ma_t ma, uint32_t *linear);

/* After mmu_open the one instruction ran (or faulted): protect the page again,
 * bring the table into line with what was written. */
void mmu_stepped(struct mmu *m);

/* The guest did something to its paging. The vcpu's registers have their new
 * values already. A changed mode is also EFER.NXE, and PDPTE registers that
 * were loaded without a write of CR3. */
void mmu_cr3_written(struct mmu *m);
void mmu_mode_changed(struct mmu *m, uint32_t old_cr0, uint32_t old_cr4);
void mmu_invlpg(struct mmu *m, uint32_t linear);

/* Walk the guest's tables for an access. With set_bits, accessed and dirty are
 * set in the guest's entries as the processor would. Works for every
 * technique. */
void mmu_guest_walk(struct mmu *m, uint32_t linear, unsigned access,
                    bool set_bits, struct paging_walk *walk);

/* May the guest's supervisor fetch an instruction there, by its own tables?
 * Sets accessed bits as the fetch would. False and f for a true fault. What is
 * behind *gpa is the PMap's to say: it may be no memory. */
bool mmu_fetchable(struct mmu *m, uint32_t linear, gpa_t *gpa, struct fault *f);

/* Guest linear memory for the VMM's emulation (what a struct mem_ops calls):
 * checked by the guest's own tables, size 1, 2, 4, may cross pages. False and
 * f for a true fault. Device memory is refused with *device set (f untouched);
 * writes to watched and traced pages bring the tables into line. */
bool mmu_read(struct mmu *m, uint32_t linear, unsigned size, bool user,
              uint32_t *value, struct fault *f, bool *device);
bool mmu_write(struct mmu *m, uint32_t linear, unsigned size, bool user,
               uint32_t value, struct fault *f, bool *device);

/* Is a device remembered there that such an access (ACC_) reaches? *gpa: where.
 * False says nothing. */
bool mmu_known_device(struct mmu *m, uint32_t linear, unsigned size,
                      unsigned access, gpa_t *gpa);

/* Where the device is that an access was refused for. */
gpa_t mmu_device(struct mmu *m, uint32_t linear, unsigned access);

/* The same bytes in host memory, for an access within one page that needs no
 * walk and concerns nobody else; a write must follow at once. NULL: mmu_read()
 * or mmu_write() it. Valid until the guest's paging or the PMap changes. */
void *mmu_span(struct mmu *m, uint32_t linear, unsigned bytes, bool write,
               bool user);

/* Guest linear memory up to the end of its page, by the supervisor's rights and
 * without a trace (no bits, no counters, no device): returns how many bytes
 * were copied, 0: none, and where they are. */
size_t mmu_peek(struct mmu *m, uint32_t linear, void *out, size_t bytes,
                gpa_t *gpa);

/* Somebody else than the guest's instructions wrote guest-physical memory
 * (DMA, an emulated store). */
void mmu_gpa_written(struct mmu *m, gpa_t gpa, uint64_t bytes);

/* The guest has asked for this value of an entry of its tables, and it is
 * written (mmu_gpa_written): what it allows will be wanted. */
void mmu_entry_updated(struct mmu *m, gpa_t entry);

/* Watch a guest page (counted: each watch needs its unwatch). */
void mmu_watch(struct mmu *m, gpa_t page);
void mmu_unwatch(struct mmu *m, gpa_t page);

/* The guest says that this page is a page table no more: what is derived from
 * it goes, and writes to it need not be seen. */
void mmu_forget_table(struct mmu *m, gpa_t page);

/* The guest puts a frame into the balloon (pmap_balloon): what is derived from
 * its contents goes with them. False: it must stay. */
bool mmu_balloon(struct mmu *m, gpa_t page);

/* Remove every mapping of a guest frame from the VMM's tables. */
void mmu_drop_gpa(struct mmu *m, gpa_t page);

/* The VMM's own piece of linear space, the overlay: in every root, at a
 * boundary of its own size, mapped for the supervisor and by nothing else.
 *
 * Create takes the frames for its page tables; false: there are none. Until it
 * is set it is nowhere. Pages are mapped with PTE_P, _W, _A and _D as given;
 * rights that are taken away are the caller's to flush. */
enum { MMU_OVERLAY_BYTES = 4 << 20 };
bool mmu_overlay_create(struct mmu *m);
void mmu_overlay_map(struct mmu *m, unsigned page, ma_t frame, uint32_t bits);
void mmu_set_overlay(struct mmu *m, uint32_t linear);

/* Where the overlay could go: the highest place that the guest's current
 * directories do not use, or else one that they map to where nothing is; with
 * paging off one without memory, below the devices of a PC. When the guest
 * reaches for nothing at the overlay, another one if there is. False: there is
 * none. */
bool mmu_find_overlay(struct mmu *m, uint32_t *linear);

/* For the screens: everything about one linear address, without side effects.
 */
struct mmu_view {
    const struct paging_format *format; /* the guest's; NULL: paging is off */
    struct paging_walk walk;
    enum pmap_kind pmap;
    ma_t ma;
    ma_t root;                              /* the real CR3 */
    const struct paging_format *own_format; /* of the VMM's tables */
    struct paging_walk own;                 /* the processor's walk of them */
    bool same_table;        /* direct: they are the guest's own */
    bool nested;            /* they are walked for guest-physical addresses */
    const char *frame_type; /* direct: what the frame behind it is used as */
    uint32_t frame_uses, frame_references;
    bool frame_pinned;
    bool traced;            /* the frame behind it is write-traced */
    enum fault_class would; /* class if accessed now; FC_COUNT: no fault */
};
void mmu_inspect(struct mmu *m, uint32_t linear, unsigned access,
                 struct mmu_view *view);

/* Recompute every entry from the guest's tables and the PMap; returns the
 * number that grant what they must not (0 is right) and, in a line, the first.
 */
unsigned mmu_audit(struct mmu *m, char *line, size_t bytes);

/* Save and restore everything that is not in machine memory (NULL buffer: the
 * bytes needed). */
size_t mmu_save(const struct mmu *m, void *buffer, size_t bytes);
bool mmu_restore(struct mmu *m, const void *buffer, size_t bytes);

#endif
