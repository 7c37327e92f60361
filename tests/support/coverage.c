/* SPDX-License-Identifier: MIT */
#include "tests/support/coverage.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"

/* ---- names ------------------------------------------------------------------
 *
 * The integer and system instructions of SDM 2, by the disassembler's names.
 */

static const char *const required[] = {
    /* arithmetic, logic, bits */
    "aaa", "aad", "aam", "aas", "adc", "add", "and", "bsf", "bsr", "bswap",
    "bt", "btc", "btr", "bts", "cbw", "cwde", "cdq", "cwd", "clc", "cmc", "cmp",
    "cmpxchg", "cmpxchg8b", "daa", "das", "dec", "div", "idiv", "imul", "inc",
    "lahf", "mul", "neg", "not", "or", "rcl", "rcr", "rol", "ror", "sahf",
    "salc", "sar", "sbb", "shl", "shld", "shr", "shrd", "stc", "sub", "test",
    "xadd", "xor",
    /* moves */
    "lea", "mov", "movsx", "movzx", "nop", "pop", "popa", "popad", "push",
    "pusha", "pushad", "xchg", "xlat", "enter", "leave", "bound",
    /* strings */
    "cmpsb", "cmpsd", "cmpsw", "lodsb", "lodsd", "lodsw", "movsb", "movsd",
    "movsw", "scasb", "scasd", "scasw", "stosb", "stosd", "stosw", "cld", "std",
    /* conditions */
    "cmovb", "cmovbe", "cmovl", "cmovle", "cmovnb", "cmovnbe", "cmovnl",
    "cmovnle", "cmovno", "cmovnp", "cmovns", "cmovnz", "cmovo", "cmovp",
    "cmovs", "cmovz", "jb", "jbe", "jl", "jle", "jnb", "jnbe", "jnl", "jnle",
    "jno", "jnp", "jns", "jnz", "jo", "jp", "js", "jz", "jecxz", "jcxz", "setb",
    "setbe", "setl", "setle", "setnb", "setnbe", "setnl", "setnle", "setno",
    "setnp", "setns", "setnz", "seto", "setp", "sets", "setz", "loop", "loope",
    "loopne",
    /* transfers */
    "call", "jmp", "ret", "iret", "iretd", "int", "int1", "int3", "into",
    "sysenter", "sysexit", "syscall", "sysret", "ud0", "ud1", "ud2",
    /* segments and tables */
    "lds", "les", "lfs", "lgs", "lss", "arpl", "lar", "lsl", "verr", "verw",
    "lgdt", "lidt", "lldt", "ltr", "sgdt", "sidt", "sldt", "str", "lmsw",
    "smsw",
    /* the system's */
    "cli", "sti", "clts", "pushf", "pushfd", "popf", "popfd", "hlt", "invd",
    "wbinvd", "invlpg", "rdmsr", "wrmsr", "rdpmc", "rdtsc", "cpuid", "in",
    "out", "insb", "insd", "insw", "outsb", "outsd", "outsw"};

enum form {
    LOCK,
    REPEAT,
    REPEAT_NOT_EQUAL,
    OVERRIDE_ES,
    OVERRIDE_CS,
    OVERRIDE_SS,
    OVERRIDE_DS,
    OVERRIDE_FS,
    OVERRIDE_GS,
    OPERAND_16,
    ADDRESS_16,
    REGISTERS,
    AT_DISPLACEMENT,
    AT_BASE,
    AT_BASE_DISPLACEMENT,
    AT_INDEX,
    AT_BASE_INDEX,
    AT_SCALED,
    FORMS,
};

static const char *const form_names[FORMS] = {
    [LOCK] = "LOCK",
    [REPEAT] = "REP",
    [REPEAT_NOT_EQUAL] = "REPNE",
    [OVERRIDE_ES] = "ES:",
    [OVERRIDE_CS] = "CS:",
    [OVERRIDE_SS] = "SS:",
    [OVERRIDE_DS] = "DS:",
    [OVERRIDE_FS] = "FS:",
    [OVERRIDE_GS] = "GS:",
    [OPERAND_16] = "16-bit operands",
    [ADDRESS_16] = "16-bit addresses",
    [REGISTERS] = "registers",
    [AT_DISPLACEMENT] = "[disp]",
    [AT_BASE] = "[base]",
    [AT_BASE_DISPLACEMENT] = "[base+disp]",
    [AT_INDEX] = "[index+disp]",
    [AT_BASE_INDEX] = "[base+index]",
    [AT_SCALED] = "[base+scale*index]",
};

/* ---- counting ---------------------------------------------------------------
 */

static unsigned hash(const char *name)
{
    unsigned h = 5381;

    while (*name)
        h = h * 33 + (uint8_t)*name++;
    return h;
}

/* Where a name is, or would be. */
static unsigned slot(const struct coverage *c, const char *name)
{
    unsigned i = hash(name) % COVERAGE_NAMES;

    while (c->names[i].name[0] && strcmp(c->names[i].name, name) != 0)
        i = (i + 1) % COVERAGE_NAMES;
    return i;
}

/* The mnemonic behind prefixes, before the operands. */
static void add_name(struct coverage *c, const char *text)
{
    static const char *const prefixes[] = {
        "lock ",  "rep ",      "repe ",     "repz ", "repne ",
        "repnz ", "xacquire ", "xrelease ", "bnd ",  "data16 "};
    char name[COVERAGE_NAME_BYTES] = "";
    unsigned i = 0;

    while (i < sizeof prefixes / sizeof *prefixes) {
        size_t n = strlen(prefixes[i]);

        if (strncmp(text, prefixes[i], n) == 0) {
            text += n;
            i = 0;
        } else {
            i++;
        }
    }
    for (unsigned k = 0; k + 1 < sizeof name && text[k] && text[k] != ' '; k++)
        name[k] = text[k];
    i = slot(c, name);
    memcpy(c->names[i].name, name, sizeof name);
    c->names[i].count++;
}

static void add_memory(struct coverage *c, const struct insn *in,
                       const struct operand *op)
{
    bool base = op->base != REG_NONE, index = op->index != REG_NONE;

    if (in->address_size == 2)
        c->forms[ADDRESS_16]++;
    if (base && index)
        c->forms[op->scale > 1 ? AT_SCALED : AT_BASE_INDEX]++;
    else if (base)
        c->forms[op->value ? AT_BASE_DISPLACEMENT : AT_BASE]++;
    else
        c->forms[index ? AT_INDEX : AT_DISPLACEMENT]++;
}

static void add_forms(struct coverage *c, const struct insn *in)
{
    static const uint8_t overrides[SEG_COUNT] = {
        [SEG_ES] = OVERRIDE_ES, [SEG_CS] = OVERRIDE_CS, [SEG_SS] = OVERRIDE_SS,
        [SEG_DS] = OVERRIDE_DS, [SEG_FS] = OVERRIDE_FS, [SEG_GS] = OVERRIDE_GS};

    c->forms[LOCK] += in->lock;
    c->forms[REPEAT] += in->rep;
    c->forms[REPEAT_NOT_EQUAL] += in->repne;
    c->forms[OPERAND_16] += in->operand_size == 2;
    if (in->segment < SEG_COUNT)
        c->forms[overrides[in->segment]]++;
    for (unsigned i = 0; i < in->operands; i++)
        if (in->op[i].kind == OPERAND_MEM)
            add_memory(c, in, &in->op[i]);
        else if (in->op[i].kind == OPERAND_GPR)
            c->forms[REGISTERS]++;
}

void coverage_add(struct coverage *c, const uint8_t *code, size_t bytes)
{
    struct insn in;
    char text[96];

    for (size_t at = 0; at < bytes; at += in.length) {
        if (!decode_afresh(code + at, bytes - at, true, &in) ||
            !decode_format(code + at, bytes - at, true, 0, text, sizeof text)) {
            c->undefined++;
            return;
        }
        c->instructions++;
        add_name(c, text);
        add_forms(c, &in);
        if (code[at] == 0xCC)
            return;
    }
}

/* ---- results ----------------------------------------------------------------
 */

const char *coverage_missing(const struct coverage *c)
{
    for (unsigned i = 0; i < sizeof required / sizeof *required; i++)
        if (!c->names[slot(c, required[i])].count)
            return required[i];
    for (unsigned i = 0; i < FORMS; i++)
        if (!c->forms[i])
            return form_names[i];
    return c->undefined ? NULL : "undefined encodings";
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void coverage_print(const struct coverage *c, FILE *to)
{
    const char *names[COVERAGE_NAMES];
    unsigned n = 0;

    for (unsigned i = 0; i < COVERAGE_NAMES; i++)
        if (c->names[i].count)
            names[n++] = c->names[i].name;
    qsort(names, n, sizeof *names, by_name);
    fprintf(to, "%llu instructions, %u mnemonics, %llu undefined\n",
            (unsigned long long)c->instructions, n,
            (unsigned long long)c->undefined);
    for (unsigned i = 0; i < n; i++)
        fprintf(to, "  %-12s%9llu%s", names[i],
                (unsigned long long)c->names[slot(c, names[i])].count,
                i % 3 == 2 || i + 1 == n ? "\n" : "");
    for (unsigned i = 0; i < FORMS; i++)
        fprintf(to, "  %-20s%9llu%s", form_names[i],
                (unsigned long long)c->forms[i],
                i % 2 || i + 1 == FORMS ? "\n" : "");
}
