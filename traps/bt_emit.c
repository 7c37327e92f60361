/* SPDX-License-Identifier: MIT */
/* traps/bt_emit.c - the code that one guest instruction becomes.
 *
 * Emitted code reaches the virtual processor's state with an SS prefix: the
 * cache only runs while the guest's SS is flat, and every load of SS comes to
 * the monitor. It must keep EFLAGS wherever the guest's instruction does, so
 * it computes with MOV, LEA and JECXZ, and may be taken up again from its
 * start after any instruction that can fault.
 */
#include "traps/bt_priv.h"

#define POPF_SLOW                                                              \
    (EFL_TF | EFL_DF | EFL_IOPL | EFL_NT | EFL_AC | EFL_ID | EFL_VIF | EFL_VIP)

/* ---- bytes --------------------------------------------------------------- */

static void put(struct bt_emit *e, const void *bytes, unsigned count)
{
    memcpy(e->code + e->bytes, bytes, count);
    e->bytes += count;
}

static void put8(struct bt_emit *e, unsigned value)
{
    e->code[e->bytes++] = (uint8_t)value;
}

static void put32(struct bt_emit *e, uint32_t value)
{
    put(e, &value, sizeof value);
}

#define PUT(e, ...)                                                            \
    put(e, (const uint8_t[]){__VA_ARGS__},                                     \
        sizeof((const uint8_t[]){__VA_ARGS__}))

/* The next emitted instruction reaches the monitor's data. */
static void own(struct bt_emit *e)
{
    e->own[e->owns++] = (uint16_t)e->bytes;
}

/* The next emitted instruction belongs to the guest's at an address. */
static void point(struct bt_emit *e, uint32_t at, enum bt_kind kind,
                  unsigned note)
{
    e->point[e->points++] =
        (struct bt_point){(uint16_t)e->bytes, (uint16_t)(at - e->eip),
                          (uint16_t)(note | (unsigned)kind << NOTE_KIND_SHIFT)};
}

static uint32_t state_word(const struct bt_emit *e, enum bt_state_word w)
{
    return bt_linear(bt_of(e->mon), BT_PAGE_STATE, 4 * w);
}

static uint32_t scratch(const struct bt_emit *e, enum bt_scratch w)
{
    return bt_linear(bt_of(e->mon), BT_PAGE_SCRATCH, 4 * w);
}

static uint32_t flag(const struct bt_emit *e)
{
    return bt_linear(bt_of(e->mon), BT_PAGE_FLAG, 0);
}

/* MOV r32, SS:[address] and back. */
static void load(struct bt_emit *e, enum gpr reg, uint32_t address)
{
    own(e);
    PUT(e, 0x36, 0x8B, (uint8_t)(0x05 | reg << 3));
    put32(e, address);
}

static void store(struct bt_emit *e, enum gpr reg, uint32_t address)
{
    own(e);
    PUT(e, 0x36, 0x89, (uint8_t)(0x05 | reg << 3));
    put32(e, address);
}

static void store_value(struct bt_emit *e, uint32_t address, uint32_t value)
{
    own(e);
    PUT(e, 0x36, 0xC7, 0x05);
    put32(e, address);
    put32(e, value);
}

/* ---- the ways out ----------------------------------------------------------
 */

static struct bt_site *site(struct bt_emit *e, enum bt_callout callout,
                            uint32_t eip)
{
    struct bt *bt = bt_of(e->mon);
    uint32_t n = bt_site_new(bt, callout, eip);

    PUT(e, 0xCC);
    put32(e, n);
    if (n == NONE)
        return NULL;
    bt->sites[n].unit = e->unit;
    return &bt->sites[n];
}

static void callout(struct bt_emit *e, enum bt_callout callout_,
                    const struct insn *insn, const uint8_t *bytes, uint32_t at,
                    unsigned note)
{
    struct bt_site *s;

    point(e, at, BT_CALLOUT, note | NOTE_COUNT);
    s = site(e, callout_, at);
    if (!s)
        return;
    s->insn = *insn;
    memcpy(s->bytes, bytes, insn->length);
    if (insn->flow == FLOW_NEXT)
        s->resume = e->cache + e->bytes;
}

/* A 32-bit displacement to another unit, filled in when that is known. */
static void reference(struct bt_emit *e, uint32_t target, uint32_t back)
{
    e->ref[e->refs++] = (struct bt_ref){(uint16_t)e->bytes, target, back};
    put32(e, 0);
}

void bt_emit_jump(struct bt_emit *e, uint32_t at, uint32_t target)
{
    point(e, at, BT_LINK, 0);
    PUT(e, 0xE9);
    reference(e, target, e->back);
}

/* To shared code at a cache offset. */
static void jump_cache(struct bt_emit *e, uint32_t cache)
{
    PUT(e, 0xE9);
    put32(e, cache - (e->cache + e->bytes + 4));
}

/* ---- control transfers ------------------------------------------------------
 */

static bool direct(struct bt_emit *e, const struct insn *insn,
                   const uint8_t *bytes, uint32_t at, unsigned start)
{
    uint32_t next = at + insn->length, target = decode_target(insn, at);

    if (insn->operand_size != 4) {
        callout(e, CALLOUT_STEP, insn, bytes, at, start);
        return false;
    }
    switch (insn->flow) {
    case FLOW_CALL:
        point(e, at, BT_CONTROL, start);
        PUT(e, 0x68);
        put32(e, next);
        point(e, at, BT_CONTROL, NOTE_PUSHED | NOTE_COUNT);
        PUT(e, 0xE9);
        reference(e, target, next);
        return false;
    case FLOW_JUMP:
        point(e, at, BT_CONTROL, start | NOTE_COUNT);
        PUT(e, 0xE9);
        reference(e, target, e->back);
        return false;
    default: break;
    }
    point(e, at, BT_CONTROL, start | NOTE_COUNT);
    if (insn->id == INSN_JCC) {
        PUT(e, 0x0F, 0x80 | insn->condition);
        reference(e, target, e->back);
        return true;
    }
    /* LOOP and JECXZ reach 127 bytes only: over a jump. */
    put(e, bytes, insn->length - 1u);
    PUT(e, 5);
    bt_emit_jump(e, next, next);
    bt_emit_jump(e, target, target);
    e->point[e->points - 1].guest = (uint16_t)(at - e->eip);
    e->point[e->points - 2].guest = (uint16_t)(at - e->eip);
    return false;
}

/* Copy an instruction's memory or register operand into "MOV EAX, operand":
 * the same prefixes and ModRM, another opcode. FF /2 and FF /4 only. */
static void load_operand(struct bt_emit *e, const struct insn *insn,
                         const uint8_t *bytes)
{
    unsigned i = 0;

    while (bytes[i] != 0xFF)
        put8(e, bytes[i++]);
    PUT(e, 0x8B, bytes[i + 1] & 0xC7);
    put(e, bytes + i + 2, insn->length - i - 2u);
}

/* RET, its target looked up. */
static void looked_up(struct bt_emit *e, uint32_t at, unsigned start)
{
    uint32_t page = e->cache & ~(uint32_t)PAGE_MASK;

    point(e, at, BT_INDIRECT, start);
    store(e, GPR_EAX, scratch(e, SCRATCH_EAX));
    point(e, at, BT_INDIRECT, NOTE_EAX);
    PUT(e, 0x8B, 0x04, 0x24); /* mov eax, [esp] */
    point(e, at, BT_INDIRECT, NOTE_EAX);
    jump_cache(e, page + bt_of(e->mon)->glue.ret);
}

/* Most procedures are left to where they were called from first: that is
 * compared in line, and only another target looked up. */
static void predicted(struct bt_emit *e, uint32_t at, unsigned start)
{
    unsigned branch;

    point(e, at, BT_INDIRECT, start);
    store(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    point(e, at, BT_INDIRECT, NOTE_ECX);
    PUT(e, 0x8B, 0x0C, 0x24, /* mov ecx, [esp] */
        0x8D, 0x89);         /* lea ecx, [ecx - back] */
    put32(e, 0 - e->back);
    PUT(e, 0xE3, 0); /* jecxz hit */
    branch = e->bytes;
    load(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    looked_up(e, at, 0);
    e->code[branch - 1] = (uint8_t)(e->bytes - branch);
    point(e, at, BT_INDIRECT, NOTE_ECX);
    load(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    point(e, at, BT_INDIRECT, NOTE_COUNT);
    PUT(e, 0x8D, 0x64, 0x24, 0x04); /* lea esp, [esp + 4] */
    point(e, at, BT_INDIRECT, 0);
    PUT(e, 0xE9);
    reference(e, e->back, NONE);
}

static bool indirect(struct bt_emit *e, const struct insn *insn,
                     const uint8_t *bytes, uint32_t at, unsigned start)
{
    struct bt *bt = bt_of(e->mon);
    uint32_t page = e->cache & ~(uint32_t)PAGE_MASK;
    bool near_form =
        insn->id == INSN_JMP || insn->id == INSN_CALL || insn->id == INSN_RET;

    if (!near_form) {
        callout(e, CALLOUT_EMULATE, insn, bytes, at, start);
        return false;
    }
    if (insn->operand_size != 4 || insn->address_size != 4) {
        callout(e, CALLOUT_STEP, insn, bytes, at, start);
        return false;
    }
    if (insn->id == INSN_RET && !insn->operands) {
        if (e->back == NONE)
            looked_up(e, at, start);
        else
            predicted(e, at, start);
        return false;
    }
    point(e, at, BT_INDIRECT, start);
    store(e, GPR_EAX, scratch(e, SCRATCH_EAX));
    point(e, at, BT_INDIRECT, NOTE_EAX);
    if (insn->id == INSN_RET)
        PUT(e, 0x8B, 0x04, 0x24); /* mov eax, [esp] */
    else
        load_operand(e, insn, bytes);
    if (insn->id == INSN_CALL || insn->id == INSN_JMP) {
        if (insn->id == INSN_CALL) {
            point(e, at, BT_INDIRECT, NOTE_EAX);
            PUT(e, 0x68);
            put32(e, at + insn->length);
        }
        point(e, at, BT_INDIRECT,
              NOTE_EAX | (insn->id == INSN_CALL ? NOTE_PUSHED : 0));
        jump_cache(e, page + bt->glue.jump);
        return false;
    }
    point(e, at, BT_INDIRECT, NOTE_EAX);
    PUT(e, 0x8D, 0xA4, 0x24); /* lea esp, [esp + 4 + n] */
    put32(e, 4u + insn->release);
    point(e, at, BT_INDIRECT, NOTE_EAX);
    jump_cache(e, page + bt->glue.jump);
    return false;
}

/* ---- in line
 * ----------------------------------------------------------------- */

static void emit_pushf(struct bt_emit *e, uint32_t at, unsigned start)
{
    point(e, at, BT_INLINED, start);
    store(e, GPR_EAX, scratch(e, SCRATCH_EAX));
    point(e, at, BT_INLINED, NOTE_EAX);
    store(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    point(e, at, BT_INLINED, NOTE_EAX);
    PUT(e, 0x9C); /* pushfd: the guest's slot will be written anyway */
    point(e, at, BT_INLINED, NOTE_EAX | NOTE_PUSHED);
    PUT(e, 0x58); /* pop eax */
    point(e, at, BT_INLINED, NOTE_EAX);
    load(e, GPR_ECX, flag(e));
    point(e, at, BT_INLINED, NOTE_EAX | NOTE_ECX);
    PUT(e, 0x8D, 0x04, 0x08); /* lea eax, [eax + ecx] */
    load(e, GPR_ECX, state_word(e, STATE_BIAS));
    PUT(e, 0x8D, 0x04, 0x08);
    store(e, GPR_EAX, scratch(e, SCRATCH_IMAGE));
    load(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    point(e, at, BT_INLINED, NOTE_EAX);
    load(e, GPR_EAX, scratch(e, SCRATCH_EAX));
    point(e, at, BT_INLINED, NOTE_COUNT);
    own(e);
    PUT(e, 0x36, 0xFF, 0x35); /* push image */
    put32(e, scratch(e, SCRATCH_IMAGE));
}

/* IF, the arithmetic flags and DF from an image in the stack, in which DF is
 * clear. EAX is in scratch; notes: what else is. */
static void load_flags(struct bt_emit *e, uint32_t at, unsigned offset,
                       unsigned notes)
{
    const uint8_t disp = (uint8_t)offset;

    PUT(e, 0x8B, 0x44, 0x24, disp, 0x25); /* mov eax, [esp]; and eax, IF */
    put32(e, EFL_IF);
    point(e, at, BT_INLINED, notes);
    store(e, GPR_EAX, flag(e));
    PUT(e, 0x8B, 0x44, 0x24, disp, /* mov eax, [esp] */
        0x86, 0xC4,                /* xchg ah, al */
        0x24, 0x08,                /* and al, 8: the overflow flag */
        0x04, 0x78,                /* add al, 78: sets it */
        0x9E,                      /* sahf: the others */
        0xFC);                     /* cld */
}

/* The fast way changes the interrupt flag and the arithmetic flags; for
 * everything else the monitor is called. The flags are dead here. */
static void emit_popf(struct bt_emit *e, const struct insn *insn,
                      const uint8_t *bytes, uint32_t at, unsigned start)
{
    unsigned branch;

    point(e, at, BT_INLINED, start);
    store(e, GPR_EAX, scratch(e, SCRATCH_EAX));
    point(e, at, BT_INLINED, NOTE_EAX);
    PUT(e, 0x8B, 0x04, 0x24); /* mov eax, [esp] */
    point(e, at, BT_INLINED, NOTE_EAX);
    PUT(e, 0x25); /* and eax, slow */
    put32(e, POPF_SLOW);
    own(e);
    PUT(e, 0x36, 0x0B, 0x05); /* or eax, odd */
    put32(e, state_word(e, STATE_ODD));
    PUT(e, 0x74, 0); /* je fast */
    branch = e->bytes;
    load(e, GPR_EAX, scratch(e, SCRATCH_EAX));
    callout(e, CALLOUT_EMULATE, insn, bytes, at, 0);
    e->code[branch - 1] = (uint8_t)(e->bytes - branch);
    point(e, at, BT_INLINED, NOTE_EAX);
    load_flags(e, at, 0, NOTE_EAX);
    load(e, GPR_EAX, scratch(e, SCRATCH_EAX));
    point(e, at, BT_INLINED, NOTE_COUNT);
    PUT(e, 0x8D, 0x64, 0x24, 0x04); /* lea esp, [esp + 4] */
    /* the callout's site goes on behind all this */
    {
        struct bt *bt = bt_of(e->mon);

        if (bt->site_count)
            bt->sites[bt->site_count - 1].resume = e->cache + e->bytes;
    }
}

/* IRET within ring 0. What it returns to must be the code segment that is in
 * CS, by flags that the fast POPF handles; everything else is the monitor's.
 * (RF is dropped: only an interrupt before the next instruction would show it.)
 * The whole frame is read, in the processor's order, before the flags are
 * touched. */
static void emit_iret(struct bt_emit *e, const struct insn *insn,
                      const uint8_t *bytes, uint32_t at, unsigned start)
{
    uint32_t page = e->cache & ~(uint32_t)PAGE_MASK;
    unsigned slow, fast;

    point(e, at, BT_INLINED, start);
    store(e, GPR_EAX, scratch(e, SCRATCH_EAX));
    point(e, at, BT_INLINED, NOTE_EAX);
    store(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    point(e, at, BT_INLINED, NOTE_EAX | NOTE_ECX);
    PUT(e, 0x8B, 0x04, 0x24,    /* mov eax, [esp] */
        0x8B, 0x44, 0x24, 0x04, /* mov eax, [esp + 4] */
        0x8B, 0x4C, 0x24, 0x08, /* mov ecx, [esp + 8] */
        0x9F, 0x0F, 0x90, 0xC0, /* lahf; seto al */
        0x81, 0xE1);            /* and ecx, slow */
    put32(e, POPF_SLOW | EFL_VM);
    own(e);
    PUT(e, 0x36, 0x0B, 0x0D); /* or ecx, odd */
    put32(e, state_word(e, STATE_ODD));
    PUT(e, 0x75, 0); /* jne slow */
    slow = e->bytes;
    PUT(e, 0x0F, 0xB7, 0x4C, 0x24, 0x04); /* movzx ecx, word [esp + 4] */
    own(e);
    PUT(e, 0x36, 0x3B, 0x0D); /* cmp ecx, its selector */
    put32(e, state_word(e, STATE_RETURN_CS));
    PUT(e, 0x74, 0); /* je fast */
    fast = e->bytes;
    e->code[slow - 1] = (uint8_t)(e->bytes - slow);
    PUT(e, 0x04, 0x7F, 0x9E); /* add al, 7F; sahf: the guest's flags again */
    load(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    point(e, at, BT_INLINED, NOTE_EAX);
    load(e, GPR_EAX, scratch(e, SCRATCH_EAX));
    callout(e, CALLOUT_EMULATE, insn, bytes, at, 0);
    e->code[fast - 1] = (uint8_t)(e->bytes - fast);
    point(e, at, BT_INLINED, NOTE_EAX | NOTE_ECX);
    load_flags(e, at, 8, NOTE_EAX | NOTE_ECX);
    PUT(e, 0x8B, 0x04, 0x24); /* mov eax, [esp] */
    load(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    point(e, at, BT_INLINED, NOTE_EAX);
    PUT(e, 0x8D, 0x64, 0x24, 0x0C); /* lea esp, [esp + 12] */
    point(e, at, BT_INLINED, NOTE_EAX);
    jump_cache(e, page + bt_of(e->mon)->glue.jump);
}

/* MOV seg, r16: natively (the shadow descriptor's privilege is the real
 * ring's), but not with an RPL that ring 1 would let pass and ring 0 not. */
static void emit_mov_to_seg(struct bt_emit *e, const struct insn *insn,
                            const uint8_t *bytes, uint32_t at, unsigned start)
{
    unsigned reg = insn->op[1].reg, branch;
    struct bt *bt = bt_of(e->mon);
    uint32_t n;

    point(e, at, BT_INLINED, start);
    store(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    point(e, at, BT_INLINED, NOTE_ECX);
    PUT(e, 0x0F, 0xB7, (uint8_t)(0xC8 | reg)); /* movzx ecx, reg16 */
    point(e, at, BT_INLINED, NOTE_ECX);
    PUT(e, 0x0F, 0xB6, 0xC9); /* movzx ecx, cl */
    point(e, at, BT_INLINED, NOTE_ECX);
    own(e);
    PUT(e, 0x36, 0x0F, 0xB6, 0x89); /* movzx ecx, ss:[rpl + ecx] */
    put32(e, state_word(e, STATE_RPL));
    point(e, at, BT_INLINED, NOTE_ECX);
    PUT(e, 0xE3, 0); /* jecxz good */
    branch = e->bytes;
    load(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    callout(e, CALLOUT_EMULATE, insn, bytes, at, 0);
    n = bt->site_count - 1;
    e->code[branch - 1] = (uint8_t)(e->bytes - branch);
    point(e, at, BT_INLINED, NOTE_ECX);
    load(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    point(e, at, BT_INLINED, NOTE_COUNT);
    put(e, bytes, insn->length);
    if (n < bt->site_count)
        bt->sites[n].resume = e->cache + e->bytes;
}

/* A register that gets a word of the virtual processor's. */
static void emit_read(struct bt_emit *e, const struct insn *insn, uint32_t at,
                      unsigned start, uint32_t address)
{
    point(e, at, BT_INLINED, start | NOTE_COUNT);
    load(e, (enum gpr)insn->op[0].reg, address);
}

static bool plain_register(const struct operand *op)
{
    return op->kind == OPERAND_GPR && op->size == 4;
}

/* True: done in line. */
static bool in_line(struct bt_emit *e, const struct insn *insn,
                    const uint8_t *bytes, uint32_t at, unsigned start)
{
    static const uint8_t cr_words[5] = {
        [0] = STATE_CR0, [3] = STATE_CR3, [4] = STATE_CR4};
    const struct operand *op = insn->op;

    switch (insn->id) {
    case INSN_CLI:
    case INSN_STI:
        point(e, at, BT_INLINED, start | NOTE_COUNT);
        store_value(e, flag(e), insn->id == INSN_STI ? EFL_IF : 0);
        e->shadow = insn->id == INSN_STI;
        return true;
    case INSN_PUSHF:
        if (insn->operand_size != 4)
            return false;
        emit_pushf(e, at, start);
        return true;
    case INSN_POPF:
        if (insn->operand_size != 4)
            return false;
        emit_popf(e, insn, bytes, at, start);
        return true;
    case INSN_MOV_FROM_CR:
        if (op[1].reg == 1 || op[1].reg > 4)
            return false;
        emit_read(e, insn, at, start,
                  op[1].reg == 2 ? scratch(e, SCRATCH_CR2)
                                 : state_word(e, cr_words[op[1].reg]));
        return true;
    case INSN_MOV_TO_CR:
        if (op[0].reg != 2)
            return false;
        point(e, at, BT_INLINED, start | NOTE_COUNT);
        store(e, (enum gpr)op[1].reg, scratch(e, SCRATCH_CR2));
        return true;
    case INSN_SMSW:
        if (!plain_register(&op[0]))
            return false;
        emit_read(e, insn, at, start, state_word(e, STATE_CR0));
        return true;
    case INSN_PUSH_SEG:
        if (insn->operand_size != 4)
            return false;
        point(e, at, BT_INLINED, start | NOTE_COUNT);
        own(e);
        PUT(e, 0x36, 0xFF, 0x35); /* push ss:[selector] */
        put32(e, state_word(e, op[0].reg == SEG_CS ? STATE_CS : STATE_SS));
        return true;
    case INSN_MOV_FROM_SEG:
        if (!plain_register(&op[0]))
            return false;
        emit_read(e, insn, at, start,
                  state_word(e, op[1].reg == SEG_CS ? STATE_CS : STATE_SS));
        return true;
    case INSN_MOV_TO_SEG:
        if (op[0].reg == SEG_SS || op[0].reg == SEG_CS ||
            op[1].kind != OPERAND_GPR)
            return false;
        emit_mov_to_seg(e, insn, bytes, at, start);
        return true;
    default: return false;
    }
}

/* ---- one instruction
 * ---------------------------------------------------------- */

static bool adapted(struct bt *bt, uint32_t at)
{
    const struct bt_trip *t = &bt->trips[at % TRIP_SLOTS];

    return bt_has(bt, BT_ADAPT) && t->eip == at && t->callout;
}

/* Copied, unless it keeps tripping a trace or the processor cannot be let. */
static void copy(struct bt_emit *e, const struct insn *insn,
                 const uint8_t *bytes, uint32_t at, unsigned start)
{
    if ((adapted(bt_of(e->mon), at) && emulate_knows(insn->id)) ||
        machine_loses_flags(insn)) {
        callout(e, CALLOUT_EMULATE, insn, bytes, at, start);
        return;
    }
    point(e, at, BT_IDENT, start | NOTE_COUNT);
    put(e, bytes, insn->length);
}

/* Selectors of data segments show nothing; those of CS and SS the ring. */
static bool harmless_segment(const struct insn *insn)
{
    const struct operand *op =
        insn->id == INSN_MOV_FROM_SEG ? &insn->op[1] : &insn->op[0];

    return (insn->id == INSN_PUSH_SEG || insn->id == INSN_MOV_FROM_SEG) &&
           op->reg != SEG_CS && op->reg != SEG_SS;
}

bool bt_emit_insn(struct bt_emit *e, const struct insn *insn,
                  const uint8_t *bytes, uint32_t at)
{
    struct bt *bt = bt_of(e->mon);
    unsigned start = e->shadow ? NOTE_START | NOTE_SHADOW : NOTE_START;

    e->shadow = false;
    switch (insn->flow) {
    case FLOW_JUMP:
    case FLOW_CALL:
    case FLOW_BRANCH:
        if (!machine_loses_flags(insn))
            return direct(e, insn, bytes, at, start);
        callout(e, CALLOUT_EMULATE, insn, bytes, at, start);
        return false;
    case FLOW_INDIRECT:
    case FLOW_CALL_INDIRECT:
    case FLOW_RETURN:
        if (insn->cls == CLASS_NONE && bt_has(bt, BT_LOOKUP))
            return indirect(e, insn, bytes, at, start);
        if (insn->id == INSN_IRET && insn->operand_size == 4 &&
            bt_has(bt, BT_INLINE) && bt_has(bt, BT_LOOKUP)) {
            emit_iret(e, insn, bytes, at, start);
            return false;
        }
        callout(e, insn->cls == CLASS_NONE ? CALLOUT_STEP : CALLOUT_EMULATE,
                insn, bytes, at, start);
        return false;
    case FLOW_INTERRUPT:
    case FLOW_STOP: /* one too long has no class: the processor refuses it */
        callout(e, insn->cls == CLASS_NONE ? CALLOUT_STEP : CALLOUT_EMULATE,
                insn, bytes, at, start);
        return false;
    case FLOW_UNDEFINED:
        point(e, at, BT_IDENT, start | NOTE_COUNT);
        PUT(e, 0x0F, 0x0B);
        return false;
    default: break;
    }
    /* RDTSC traps by itself where the guest must not have the real time. */
    if (insn->cls == CLASS_NONE || insn->id == INSN_CPUID ||
        insn->id == INSN_RDTSC || harmless_segment(insn)) {
        copy(e, insn, bytes, at, start);
        return true;
    }
    if (bt_has(bt, BT_INLINE) && in_line(e, insn, bytes, at, start))
        return true;
    callout(e, CALLOUT_EMULATE, insn, bytes, at, start);
    /* the monitor keeps the interrupt shadow of those that begin one */
    return true;
}

/* ---- shared code
 * -------------------------------------------------------------- */

/* EAX is the target, and the guest's is in scratch. */
static void look_up(struct bt_emit *e, bool ret)
{
    struct bt_glue *glue = &bt_of(e->mon)->glue;
    uint32_t table = bt_linear(bt_of(e->mon), BT_PAGE_TABLE, 0);
    unsigned branch;

    store(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    PUT(e, 0x0F, 0xB7, 0xC8); /* movzx ecx, ax */
    own(e);
    PUT(e, 0x36, 0x8B, 0x0C, 0xCD); /* mov ecx, ss:[table + ecx * 8] */
    put32(e, table);
    PUT(e, 0x8D, 0x0C, 0x01); /* lea ecx, [ecx + eax] */
    PUT(e, 0xE3, 0);          /* jecxz hit */
    branch = e->bytes;
    store(e, GPR_EAX, scratch(e, SCRATCH_TARGET));
    load(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    load(e, GPR_EAX, scratch(e, SCRATCH_EAX));
    if (ret)
        PUT(e, 0x8D, 0x64, 0x24, 0x04); /* lea esp, [esp + 4] */
    glue->miss[!ret] = (uint16_t)e->bytes;
    site(e, CALLOUT_MISS, 0);
    e->code[branch - 1] = (uint8_t)(e->bytes - branch);
    PUT(e, 0x0F, 0xB7, 0xC8); /* movzx ecx, ax */
    own(e);
    PUT(e, 0x36, 0x8B, 0x0C, 0xCD); /* mov ecx, ss:[table + 4 + ecx * 8] */
    put32(e, table + 4);
    store(e, GPR_ECX, scratch(e, SCRATCH_CACHE));
    load(e, GPR_ECX, scratch(e, SCRATCH_ECX));
    load(e, GPR_EAX, scratch(e, SCRATCH_EAX));
    glue->back[!ret] = (uint16_t)e->bytes;
    if (ret)
        PUT(e, 0x8D, 0x64, 0x24, 0x04);
    glue->hit[!ret] = (uint16_t)e->bytes;
    own(e);
    PUT(e, 0x36, 0xFF, 0x25); /* jmp ss:[cache] */
    put32(e, scratch(e, SCRATCH_CACHE));
}

void bt_emit_glue(struct monitor *mon)
{
    struct bt *bt = bt_of(mon);
    struct bt_emit *e = bt->emit;

    e->mon = mon;
    e->unit = NONE;
    e->cache = e->bytes = e->points = e->refs = e->owns = 0;
    bt->glue.ret = 0;
    look_up(e, true);
    bt->glue.jump = (uint16_t)e->bytes;
    look_up(e, false);
    bt->glue.end = (uint16_t)e->bytes;
    bt_cache_append(mon, e);
}
