/* SPDX-License-Identifier: MIT */
/* traps/bt.c - dynamic translation as a technique: what runs the guest now.
 *
 * Ring 3 and virtual-8086 code (real mode runs as such) executes directly.
 * Ring 0 with flat 32-bit segments executes translated. The rest (16-bit
 * protected mode, segments with a base, single-stepping, rings 1 and 2, ring 3
 * with an IOPL or without IF) is rare: it executes where it lies, at its real
 * ring, one instruction at a time, sensitive ones done by the monitor.
 *
 * Ring 3 with an IOPL is among them because the real IOPL is 0: PUSHF would
 * show that, and POPF and IRET lose the interrupt flag, which IOPL 3 gives to
 * programs. A real IOPL of 3 would give them the machine's. So is ring 3
 * without IF, because the real flag is set.
 *
 * Reference: Bugnion et al., TOCS 2012, the choice between direct execution
 * and translation.
 */
#include <stdlib.h>

#include "traps/bt_priv.h"

static const struct {
    const char *name, *blurb;
} options[BT_OPTIONS] = {
    [BT_CHAIN] = {"chain", "direct jumps lead from unit to unit"},
    [BT_INLINE] = {"inline",
                   "CLI, STI, PUSHF, POPF, IRET, MOV from CR... in line"},
    [BT_LOOKUP] = {"lookup", "indirect targets looked up in emitted code"},
    [BT_ADAPT] = {"adapt", "stores that keep tripping traces call out"},
    [BT_AHEAD] = {"ahead", "what a unit leads to is translated with it"},
};

const char *bt_option_name(enum bt_option o)
{
    return options[o].name;
}

const char *bt_option_blurb(enum bt_option o)
{
    return options[o].blurb;
}

const char *bt_kind_name(enum bt_kind kind)
{
    static const char *const names[] = {
        [BT_IDENT] = "ident",       [BT_CONTROL] = "control",
        [BT_INDIRECT] = "indirect", [BT_INLINED] = "in-line",
        [BT_CALLOUT] = "callout",   [BT_LINK] = "link",
    };

    return names[kind];
}

/* ---- which engine
 * ------------------------------------------------------------- */

static bool flat(const struct segment *s)
{
    return s->base == 0 && (s->attr & SEG_D);
}

static int engine_for(const struct monitor *mon)
{
    const struct cpu_state *v = &mon->v;

    if (vcpu_runs_vm86(v) ||
        (v->cpl == 3 && state_iopl(v) == 0 && (v->eflags & EFL_IF)))
        return ENGINE_DIRECT;
    if (v->cpl == 0 && flat(&v->seg[SEG_CS]) && flat(&v->seg[SEG_SS]) &&
        !(v->eflags & EFL_TF))
        return ENGINE_CACHE;
    return ENGINE_STEP;
}

bool bt_in_cache(const struct monitor *mon)
{
    return engine_for(mon) == ENGINE_CACHE;
}

/* ---- from the real processor to the virtual one
 * ---------------------------------- */

/* The guest address of the unit that an indirect jump is about to enter. */
static uint32_t entered(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);
    uint32_t at = bt_word(mon, BT_PAGE_SCRATCH, SCRATCH_CACHE), unit, point;

    at -= bt_linear(bt, BT_PAGE_CACHE, 0);
    return bt_locate(bt, at, &unit, &point) ? bt->units[unit].eip : NONE;
}

/* In the shared look-up: as if the jump were done, whose target is in EAX until
 * the guest's is back there. */
static void locate_shared(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);
    unsigned at = bt->at & PAGE_MASK;
    bool ret = at < bt->glue.jump;
    bool miss = at == bt->glue.miss[!ret], hit = at >= bt->glue.back[!ret];

    monitor_need_rest(mon);
    bt->at_unit = NONE;
    if (miss || hit)
        mon->v.eip =
            miss ? bt_word(mon, BT_PAGE_SCRATCH, SCRATCH_TARGET) : entered(mon);
    else
        mon->v.eip = mon->v.gpr[GPR_EAX];
    if (miss || at == bt->glue.hit[!ret])
        return;
    mon->v.gpr[GPR_EAX] = bt_word(mon, BT_PAGE_SCRATCH, SCRATCH_EAX);
    if (at != bt->glue.ret && at != bt->glue.jump)
        mon->v.gpr[GPR_ECX] = bt_word(mon, BT_PAGE_SCRATCH, SCRATCH_ECX);
    if (ret)
        mon->v.gpr[GPR_ESP] += 4;
}

static void locate(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);
    struct cpu_state *v = &mon->v;
    const struct bt_point *p;
    const struct bt_unit *u;

    bt->at = v->eip - bt_linear(bt, BT_PAGE_CACHE, 0);
    if (!bt_locate(bt, bt->at, &bt->at_unit, &bt->at_point)) {
        locate_shared(mon);
        return;
    }
    u = &bt->units[bt->at_unit];
    p = &bt->points[bt->at_point];
    v->eip = u->eip + p->guest;
    bt->at_note = p->note;
    if (u->cache + p->cache != bt->at)
        bt->at_note &= ~(unsigned)(NOTE_START | NOTE_COUNT);
    if (p->note & (NOTE_EAX | NOTE_ECX))
        monitor_need_rest(mon);
    if (p->note & NOTE_EAX)
        v->gpr[GPR_EAX] = bt_word(mon, BT_PAGE_SCRATCH, SCRATCH_EAX);
    if (p->note & NOTE_ECX)
        v->gpr[GPR_ECX] = bt_word(mon, BT_PAGE_SCRATCH, SCRATCH_ECX);
    if (p->note & NOTE_PUSHED)
        v->gpr[GPR_ESP] += 4;
}

static void capture(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);
    struct cpu_state *v = &mon->v;

    vcpu_capture_frame(mon);
    if (bt->engine != ENGINE_CACHE)
        return;
    bt->at_note = 0;
    locate(mon);
    v->eflags =
        (v->eflags & ~EFL_IF) | (bt_word(mon, BT_PAGE_FLAG, 0) & EFL_IF);
    v->cr2 = bt_word(mon, BT_PAGE_SCRATCH, SCRATCH_CR2);
    v->interrupt_shadow = v->eip == bt->shadow_eip &&
                          machine_now(mon->machine) == bt->shadow_clock;
}

/* ---- and back
 * ---------------------------------------------------------------------- */

void bt_resume_lost(struct monitor *mon)
{
    bt_of(mon)->at_unit = NONE;
    mon->dirty = true;
}

/* Within the same segment, whose limit the processor does not check, and when
 * no NMI waits for the return. */
static uint32_t return_cs(const struct monitor *mon)
{
    const struct segment *cs = &mon->v.seg[SEG_CS];

    if (mon->v.nmi_blocked || cs->limit != UINT32_MAX ||
        !descriptors_hold_cs(mon))
        return NONE;
    return cs->selector;
}

static void write_state(struct monitor *mon)
{
    const uint32_t odd =
        EFL_IOPL | EFL_NT | EFL_AC | EFL_ID | EFL_VIF | EFL_VIP;
    const struct cpu_state *v = &mon->v;
    uint32_t *state = bt_words(mon, BT_PAGE_STATE);

    state[STATE_CR0] = v->cr0;
    state[STATE_CR3] = v->cr3;
    state[STATE_CR4] = v->cr4;
    state[STATE_ODD] = v->eflags & odd;
    state[STATE_BIAS] = (v->eflags & EFL_IOPL) - EFL_IF;
    state[STATE_CS] = v->seg[SEG_CS].selector;
    state[STATE_SS] = v->seg[SEG_SS].selector;
    state[STATE_RETURN_CS] = return_cs(mon);
    bt_set_word(mon, BT_PAGE_FLAG, 0, v->eflags & EFL_IF);
    bt_set_word(mon, BT_PAGE_SCRATCH, SCRATCH_CR2, v->cr2);
}

/* A jump, a stale entry or the look-up table asked for this unit. */
static void settle(struct monitor *mon, uint32_t unit)
{
    struct bt *bt = bt_of(mon);
    uint32_t to = bt->units[unit].cache, at = bt->pending_patch;
    uint8_t code[5] = {0xE9};
    uint32_t displacement;

    if (bt->pending_table)
        bt_table_set(mon, bt->units[unit].eip, to);
    bt->pending_table = false;
    bt->pending_patch = NONE;
    if (at == NONE)
        return;
    mon->trace->count.bt_links++;
    displacement = to - (at + (bt->pending_stale ? 5 : 4));
    memcpy(code + 1, &displacement, sizeof displacement);
    if (bt->pending_stale)
        bt_cache_patch(mon, at, code, sizeof code);
    else
        bt_cache_patch(mon, at, &displacement, sizeof displacement);
}

/* Where the procedure returns to that is about to be translated: known if a
 * direct jump or call leads there. */
static uint32_t back(const struct bt *bt)
{
    bool direct = bt->pending_patch != NONE && bt->at_unit != NONE;

    return direct ? bt->units[bt->at_unit].back : NONE;
}

/* The cache offset for the guest's EIP. False: a fault was injected instead. */
static bool dispatch(struct monitor *mon, uint32_t *offset)
{
    struct bt *bt = bt_of(mon);
    uint32_t eip = mon->v.eip, unit = NONE;
    struct fault f = {.vector = VEC_UD};

    if (bt->at_unit != NONE && bt->pending_patch == NONE &&
        !bt->pending_table) {
        *offset = bt_start_in(bt, bt->at_unit, eip);
        if (*offset != NONE)
            return true;
    }
    unit = bt_find(bt, eip);
    if (unit == NONE) {
        enum bt_result result = bt_translate(mon, eip, back(bt), &unit, &f);

        if (result == BT_NO_ROOM) {
            bt_cache_flush(mon);
            bt->pending_patch = NONE;
            result = bt_translate(mon, eip, NONE, &unit, &f);
        }
        if (result == BT_NO_ROOM) {
            exits_stop(mon, MONITOR_NO_MEMORY, "no room for translations");
            return false;
        }
        if (result == BT_FAULT) {
            bt->pending_patch = NONE;
            bt->pending_table = false;
            inject_fault(mon, &f);
            return false;
        }
        trace_translate(mon->trace, monitor_site(mon),
                        bt->units[unit].instructions,
                        bt_linear(bt, BT_PAGE_CACHE, bt->units[unit].cache),
                        bt->units[unit].cache_bytes);
    }
    settle(mon, unit);
    *offset = bt->units[unit].cache;
    return true;
}

static void enter_cache(struct monitor *mon, uint32_t offset)
{
    struct bt *bt = bt_of(mon);
    struct cpu_state *r = vcpu_real(mon);
    uint32_t limit = r->seg[SEG_CS].limit;

    r->eip = bt_linear(bt, BT_PAGE_CACHE, offset);
    r->interrupt_shadow = false;
    /* The guest's code segment may be anything that is flat; this one is. */
    r->seg[SEG_CS].limit = UINT32_MAX;
    bt->shadow_eip = mon->v.interrupt_shadow ? mon->v.eip : NONE;
    bt->shadow_clock = machine_now(mon->machine);
    write_state(mon);
    bt->engine = ENGINE_CACHE;
    vcpu_put(mon);
    r->seg[SEG_CS].limit = limit;
}

/* In the monitor's own space, whose code the processor would fetch (not at ring
 * 3), there is nothing for the guest. True: it had the fault for that. */
static bool nothing_here(struct monitor *mon)
{
    uint32_t linear = mon->v.seg[SEG_CS].base + mon->v.eip;
    struct fault f = {.vector = VEC_UD}; /* no memory reads as ones */
    gpa_t gpa;

    if (mon->v.cpl == 3 || linear - mon->overlay >= BT_PAGES * PAGE_BYTES)
        return false;
    mmu_fetchable(mon->mmu, linear, &gpa, &f);
    inject_fault(mon, &f);
    return true;
}

/* Where it lies, alone; true: the monitor did it, look again. */
static bool step_here(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);
    const struct segment *cs = &mon->v.seg[SEG_CS];
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn insn;
    size_t n;

    bt->engine = ENGINE_STEP;
    if (nothing_here(mon))
        return true;
    if (!bt->step_once && !mon->v.halted) {
        n = monitor_peek(mon, cs->base + mon->v.eip, bytes, sizeof bytes);
        if (decode(bytes, n, (cs->attr & SEG_D) != 0, &insn) &&
            insn.cls != CLASS_NONE && insn.cls != CLASS_VISIBLE &&
            emulate_knows(insn.id)) {
            mon->trace->count.exits[EXIT_STEP]++;
            emulation_run(mon, &insn, bytes, false);
            return !mon->v.halted;
        }
    }
    bt->step_once = false;
    vcpu_install(mon);
    machine_step_next(mon->machine, true);
    return false;
}

enum { STEPS_IN_A_ROW = 16 };

static bool fetchable(struct monitor *mon)
{
    struct fault f;
    gpa_t gpa;

    return mmu_fetchable(mon->mmu, mon->v.seg[SEG_CS].base + mon->v.eip, &gpa,
                         &f);
}

static void install(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);
    uint32_t offset;

    if (bt->base != descriptors_linear(mon, 0))
        bt_cache_flush(mon);
    /* The guest's registers were not all in the processor. */
    if (bt->engine == ENGINE_CACHE &&
        (bt->at_unit == NONE || (bt->at_note & (NOTE_EAX | NOTE_ECX))))
        mon->frame_only = false;
    machine_step_next(mon->machine, false);
    for (unsigned i = 0; !mon->stopped; i++) {
        int engine = bt->step_once ? ENGINE_STEP : engine_for(mon);

        if (engine == ENGINE_DIRECT)
            break;
        if (engine == ENGINE_CACHE) {
            if (dispatch(mon, &offset)) {
                enter_cache(mon, offset);
                return;
            }
            if (i < STEPS_IN_A_ROW || fetchable(mon))
                continue;
            /* Handlers that cannot be fetched, for ever: let the processor
             * find out, so that whoever wants to stop it can. */
            break;
        }
        if (!step_here(mon) || i >= STEPS_IN_A_ROW)
            return;
    }
    bt->engine = ENGINE_DIRECT; /* also when it has stopped for good */
    vcpu_install(mon);
}

static void stepped(struct monitor *mon)
{
    if (bt_of(mon)->engine == ENGINE_STEP)
        mon->dirty = true; /* what next? */
}

/* ---- interrupts
 * ------------------------------------------------------------------- */

static bool between(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);

    return bt->engine != ENGINE_CACHE || mon->dirty ||
           (bt->at_note & NOTE_START);
}

static bool boundary(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);
    bool shadow = bt->engine == ENGINE_CACHE && !mon->dirty &&
                  (bt->at_note & NOTE_SHADOW);

    return between(mon) && !shadow && !mon->v.interrupt_shadow;
}

/* While an interrupt waits for the guest to allow it, the flag cannot be
 * written: emitted code need not look whether one waits. */
static void withhold_flag(struct monitor *mon, bool withhold)
{
    struct bt *bt = bt_of(mon);

    if (withhold == bt->flag_withheld)
        return;
    bt->flag_withheld = withhold;
    bt_cache_map(mon, BT_PAGE_FLAG, !withhold);
    if (withhold)
        machine_flush_page(mon->machine, bt_linear(bt, BT_PAGE_FLAG, 0));
}

static void pin(struct monitor *mon, bool pending)
{
    struct bt *bt = bt_of(mon);
    bool live = bt->engine == ENGINE_CACHE && !mon->dirty;
    bool on = live ? bt_word(mon, BT_PAGE_FLAG, 0) != 0
                   : (mon->v.eflags & EFL_IF) != 0;

    withhold_flag(mon, pending && !on && !mon->nmi);
    machine_set_intr(mon->machine, pending && (on || mon->nmi));
}

/* ---- the clock
 * -------------------------------------------------------------------- */

static uint32_t weight(struct monitor *mon, uint32_t linear)
{
    struct bt *bt = bt_of(mon);
    uint32_t at = linear - bt_linear(bt, BT_PAGE_CACHE, 0), unit, point;

    if (!bt_locate(bt, at, &unit, &point)) {
        for (unsigned i = 0; i < 2; i++)
            if ((at & PAGE_MASK) == bt->glue.miss[i] ||
                (at & PAGE_MASK) == bt->glue.hit[i])
                return 1;
        return 0;
    }
    /* The entry of a dead unit is the translator's. */
    if (bt->units[unit].dead && at == bt->units[unit].cache)
        return 0;
    return bt->units[unit].cache + bt->points[point].cache == at &&
           (bt->points[point].note & NOTE_COUNT);
}

/* ---- life
 * ---------------------------------------------------------------------------
 */

static bool start(struct monitor *mon, char **error)
{
    struct bt *bt = calloc(1, sizeof *bt);

    mon->own = bt;
    if (!bt || !(bt->emit = malloc(sizeof *bt->emit))) {
        if (asprintf(error, "out of memory") < 0)
            *error = NULL;
        return false;
    }
    bt->pending_patch = bt->at_unit = NONE;
    bt->base = NONE;
    return bt_cache_create(mon, error);
}

static void destroy(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);

    if (!bt)
        return;
    bt_cache_destroy(bt);
    free(bt->emit);
    free(bt);
}

void bt_configure(struct monitor *mon, const struct bt_config *config)
{
    struct bt *bt = bt_of(mon);
    uint32_t bytes = config->cache_bytes & ~(uint32_t)PAGE_MASK;

    bt->config = *config;
    if (bytes && bytes < bt->cache_bytes)
        bt->cache_bytes = bytes < BT_CACHE_MIN ? BT_CACHE_MIN : bytes;
}

static void enter(struct monitor *mon)
{
    for (unsigned i = 0; i < 64; i++)
        bt_set_word(mon, BT_PAGE_STATE, STATE_RPL + i, 0x00010100);
    bt_cache_flush(mon);
}

static void written(struct monitor *mon, gpa_t gpa, uint32_t bytes)
{
    bt_pages_written(mon, gpa, bytes);
}

const struct technique technique_bt = {
    .name = "bt",
    .hides_ring = true,
    .start = start,
    .destroy = destroy,
    .enter = enter,
    .capture = capture,
    .install = install,
    .quick = bt_quick,
    .exit = bt_exit,
    .stepped = stepped,
    .tripped = bt_tripped,
    .boundary = boundary,
    .between = between,
    .pin = pin,
    .written = written,
    .remapped = bt_pages_remapped,
    .weight = weight,
    .owns = bt_owns,
    .save = bt_save,
    .restore = bt_restore,
};
