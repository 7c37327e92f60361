/* SPDX-License-Identifier: MIT */
/* The names of the compared techniques. */
#include "cli/compare.h"
#include "cli/options_size.h"

#include "cpu/ept.h"
#include "traps/bt.h"
#include "vmm/load.h"

#include <stdlib.h>
#include <string.h>

/* ---- Names --------------------------------------------------------------- */

const char *compare_cpu_text(const struct technique *t, char text[CPU_TEXT])
{
    int used = snprintf(text, CPU_TEXT, "%s%s", cpu_technique_name(t->cpu),
                        t->iopl1     ? "+iopl1"
                        : t->nobatch ? "+nobatch"
                                     : "");
    for (unsigned i = 0; i < BT_OPTIONS && used < CPU_TEXT; i++)
        if (t->bt_without >> i & 1)
            used += snprintf(text + used, CPU_TEXT - (size_t)used, "-%s",
                             bt_option_name((enum bt_option)i));
    return text;
}

const char *compare_mmu_text(const struct technique *t, char text[MMU_TEXT])
{
    const struct mmu_optimization_name *o = mmu_optimizations;
    int used =
        snprintf(text, MMU_TEXT, "%s", t->cpu == CPU_BARE ? "-" : t->mmu->name);
    if (t->nested_levels)
        used += snprintf(text + used, MMU_TEXT - (size_t)used, "%u",
                         t->nested_levels);

    for (; o->name && used < MMU_TEXT; o++)
        if (t->mmu_without & o->bit)
            used +=
                snprintf(text + used, MMU_TEXT - (size_t)used, "-%s", o->name);
    return text;
}

/* ---- A list -------------------------------------------------------------- */

typedef bool without_fn(struct run_options *o, const char *list);

/* How long is the first of the names that dashes separate? One of them may
 * have a dash in it. */
static size_t first_length(const char *list)
{
    size_t length = strcspn(list, "-");

    for (const struct mmu_optimization_name *o = mmu_optimizations; o->name;
         o++) {
        size_t n = strlen(o->name);

        if (n > length && strncmp(list, o->name, n) == 0)
            length = n;
    }
    return length;
}

/* "NAME-a-b": NAME without a and b, which are cut off. */
static bool minus_options(struct run_options *o, char *name, size_t length,
                          without_fn *find)
{
    char *list = name + length + 1;

    if (name[length] != '-')
        return true;
    name[length] = '\0';
    for (;; list++) {
        size_t n = first_length(list);
        char one[40];

        snprintf(one, sizeof one, "%.*s", (int)n, list);
        if (!find(o, one))
            return false;
        list += n;
        if (!*list)
            return true;
    }
}

static bool plus_option(struct run_options *o, char *word, bool *nobatch)
{
    char *plus = strchr(word, '+');

    *nobatch = plus && strcmp(word, "pv+nobatch") == 0;
    o->iopl1 = plus && strcmp(plus, "+iopl1") == 0;
    if (plus && !o->iopl1 && !*nobatch) {
        options_fail(o,
                     "--techniques: '%s' is not 'trap+iopl1' or "
                     "'pv+nobatch'",
                     word);
        return false;
    }
    if (plus)
        *plus = '\0';
    return true;
}

/* "nested3": with this many levels. */
static bool cut_levels(struct run_options *o, char *mmu)
{
    char *digits = mmu + strlen("nested");
    uint64_t levels;

    if (strncmp(mmu, "nested", strlen("nested")) != 0 || !*digits)
        return true;
    if (!options_number(o, "--techniques nested", digits, EPT_LEVELS_LEAST,
                        EPT_LEVELS_MOST, &levels))
        return false;
    o->nested_levels = (unsigned)levels;
    *digits = '\0';
    return true;
}

static bool parse_word(struct run_options *o, char *word, bool *nobatch)
{
    char *mmu = strchr(word, ':');

    o->cpu_given = true;
    o->mmu_given = false;
    o->mmu = &mmu_shadow;
    if (mmu)
        *mmu++ = '\0';
    if (strncmp(word, "bt-", 3) == 0 && cpu_technique_find(word) < 0 &&
        !minus_options(o, word, 2, options_find_bt_without))
        return false;
    if (mmu &&
        !minus_options(o, mmu, strcspn(mmu, "-"), options_find_mmu_without))
        return false;
    if ((mmu && !cut_levels(o, mmu)) || !plus_option(o, word, nobatch) ||
        !options_find_cpu(o, word) || (mmu && !options_find_mmu(o, mmu)))
        return false;
    options_keep_sizes(o);
    return options_check_pair(o);
}

static bool parse_one(struct comparison *c, const struct run_options *given,
                      char *word)
{
    struct run_options o = *given;
    struct technique *t = &c->technique[c->count];
    char cpu[CPU_TEXT], mmu[MMU_TEXT];
    bool nobatch;

    if (!*word) {
        options_fail(&o, "--techniques: the name of a technique is missing; "
                         "bare,bt:shadow is such a list");
        return false;
    }
    if (!parse_word(&o, word, &nobatch))
        return false;
    *t = (struct technique){.cpu = o.cpu,
                            .mmu = o.mmu,
                            .iopl1 = o.iopl1,
                            .nobatch = nobatch,
                            .bt_without = o.bt_without,
                            .mmu_without = o.mmu_without,
                            .nested_levels = o.nested_levels};
    compare_cpu_text(t, cpu);
    compare_mmu_text(t, mmu);
    if (o.cpu == CPU_BARE)
        snprintf(t->name, sizeof t->name, "%s", cpu);
    else
        snprintf(t->name, sizeof t->name, "%s:%s", cpu, mmu);
    c->count++;
    return true;
}

/* A size that nothing here has is a mistake. */
static bool sizes_used(const struct comparison *c, const struct run_options *o)
{
    bool nested = !o->nested_levels, bt = !o->bt_unit && !o->bt_cache_bytes;
    bool tables = !o->table_bytes;

    for (size_t i = 0; i < c->count; i++) {
        const struct technique *t = &c->technique[i];

        nested |= t->mmu == &mmu_nested;
        bt |= t->cpu == CPU_BT;
        tables |= t->cpu != CPU_BARE && t->mmu != &mmu_direct;
    }
    if (!nested)
        options_fail(o, "--nested-levels: no technique of the list is nested");
    else if (!bt)
        options_fail(o, "%s: no technique of the list is bt",
                     o->bt_unit ? "--bt-unit" : "--bt-cache");
    else if (!tables)
        options_fail(o, "--table-memory: no technique of the list has tables "
                        "of the VMM's");
    return nested && bt && tables;
}

bool compare_parse_list(struct comparison *c, struct run_options *o,
                        const char *list)
{
    char *copy = strdup(list), *rest = copy, *word;
    bool good = copy != NULL;

    while (good && (word = strsep(&rest, ","))) {
        if (c->count == COMPARE_MAX) {
            options_fail(o, "--techniques: %d at most", COMPARE_MAX);
            good = false;
        } else {
            good = parse_one(c, o, word);
        }
    }
    free(copy);
    return good && sizes_used(c, o);
}

const char *compare_default_list(const struct guest *g)
{
    const char *kind = load_kind(&g->config.kernel);

    if (kind && strcmp(kind, "linux") == 0)
        return "bare,bt:tlb,bt:shadow,hvm:nested";
    if (guest_is_builtin(g, "lumen-pv"))
        return "pv+nobatch:shadow,pv:tlb,pv:shadow,pv:direct";
    if (guest_is_builtin(g, "lumen-trap"))
        return "bare,trap:shadow,bt-static:shadow,bt:shadow";
    return "bare,bt:tlb,bt:shadow,hvm:shadow,hvm:nested";
}
