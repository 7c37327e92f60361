/* SPDX-License-Identifier: MIT */
#include "cli/compare.h"
#include "cli/options.h"
#include "traps/bt.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>
#include <unistd.h>

static struct run_options o;

static bool parse(const char *line)
{
    static char words[256];
    static const struct options_command command = {
        .who = "umbra test",
        .doc = "",
        .takes = TAKES_TECHNIQUE | TAKES_OUTPUT,
    };
    char *argv[32] = {(char[]){"umbra test"}};
    int argc = 1;
    snprintf(words, sizeof words, "%s", line);
    for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
        argv[argc++] = w;
    options_free(&o);
    return options_parse(&o, &command, argc, argv);
}

/* Refused, with one line that says this. */
static void refused(const char *line, const char *why)
{
    char said[512] = "";
    FILE *log = tmpfile();
    int saved = dup(2);
    fflush(stderr);
    dup2(fileno(log), 2);
    bool accepted = parse(line);
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    rewind(log);
    size_t n = fread(said, 1, sizeof said - 1, log);
    fclose(log);
    cr_assert(!accepted, "accepted: %s", line);
    cr_assert_not_null(strstr(said, why), "%s: %s", line, said);
    cr_assert_eq(strncmp(said, "umbra test: ", 12), 0, "%s", said);
    cr_assert_eq(strchr(said, '\n'), said + n - 1, "one line: %s", said);
}

Test(cli_options, defaults_run_lumen_translated_with_shadow_tables)
{
    cr_assert(parse(""));
    cr_assert_null(o.kernel);
    cr_assert_eq(o.cpu, CPU_BT);
    cr_assert_eq(o.mmu, &mmu_shadow);
    cr_assert_eq(o.serial, SERIAL_STDIO);
    cr_assert_eq(o.memory_bytes, 0);
    cr_assert(!o.cpu_given && !o.mmu_given && !o.host_clock && !o.iopl1);
}

Test(cli_options, every_option_reaches_its_place)
{
    cr_assert(parse("--cpu trap --mmu=tlb --what-if iopl1 --memory 0x20 "
                    "--append x=1 --table-memory 128 --tlb 64,2 kernel.elf"));
    cr_assert_eq(o.cpu, CPU_TRAP);
    cr_assert_eq(o.mmu, &mmu_tlb_emulation);
    cr_assert(o.iopl1);
    cr_assert_eq(o.memory_bytes, 32 << 20);
    cr_assert_eq(o.table_bytes, 128 << 10);
    cr_assert_eq(o.tlb_entries, 64);
    cr_assert_eq(o.tlb_ways, 2);
    cr_assert_eq(o.mmu_without, 0);
    cr_assert_str_eq(o.append, "x=1");
    cr_assert_eq(o.bt_without, 0);
    cr_assert_str_eq(o.kernel, "kernel.elf");
    cr_assert(parse("--serial file:log --stats - --trace t.csv --max-time 1.5 "
                    "--max-cycles 99 --clock host --device testdev"));
    cr_assert_str_eq(o.serial_path, "log");
    cr_assert_str_eq(o.stats, "-");
    cr_assert_str_eq(o.trace, "t.csv");
    cr_assert_float_eq(o.max_seconds, 1.5, 1e-9);
    cr_assert_eq(o.max_cycles, 99);
    cr_assert(o.host_clock && o.testdev);
}

Test(cli_options, the_translators_switches_reach_their_place)
{
    cr_assert(parse("--bt-without adapt,chain --bt-unit 12 --bt-cache 64"));
    cr_assert_eq(o.bt_without, 1u << BT_ADAPT | 1u << BT_CHAIN);
    cr_assert_eq(o.bt_unit, 12);
    cr_assert_eq(o.bt_cache_bytes, 64 << 10);
    cr_assert(parse("--cpu bt --bt-without all"));
    cr_assert_eq(o.bt_without, (1u << BT_OPTIONS) - 1);
    refused("--cpu trap --bt-without chain", "--bt-without goes with --cpu bt");
    refused("--bt-unit 12 --cpu bare", "--bt-unit goes with --cpu bt only");
    refused("--cpu bt-static --bt-cache 64", "--bt-cache goes with --cpu bt");
    refused("--bt-without chain,chains", "unknown optimization 'chains'");
    refused("--bt-unit 0", "from 1 to 64");
    refused("--bt-unit 65", "from 1 to 64");
    refused("--bt-cache 4", "from 64 to 3328");
    refused("--bt-cache 1M", "from 64 to 3328");
}

Test(cli_options, the_guests_memory_in_the_machine)
{
    cr_assert(parse(""));
    cr_assert(!o.machine_bytes && !o.swap_bytes && !o.swap_path && !o.share);
    cr_assert(parse("--machine-memory 4 --swap f --swap-limit 512K --share"));
    cr_assert_eq(o.machine_bytes, 4 << 20);
    cr_assert_eq(o.swap_bytes, 512 << 10);
    cr_assert_str_eq(o.swap_path, "f");
    cr_assert_eq(o.share, 64);
    cr_assert(parse("--machine-memory 258K --share=7"));
    cr_assert_eq(o.machine_bytes, 256 << 10, "whole pages");
    cr_assert_eq(o.share, 7);
    refused("--machine-memory 255K", "256K (KiB) to 3072");
    refused("--machine-memory 0", "to 3072 (MiB)");
    refused("--machine-memory K", "is wanted");
    refused("--cpu bare --machine-memory 4", "does not go with --cpu bare");
    refused("--share --cpu bare", "--share does not go with --cpu bare");
    refused("--swap f", "go with --machine-memory");
    refused("--swap-limit 4", "go with --machine-memory");
    refused("--share=0", "from 1 to");
    cr_assert(parse("--balloon 16"));
    cr_assert(o.balloon_bytes == 16 << 20 && !o.balloon_auto);
    cr_assert(parse("--balloon auto --machine-memory 8"));
    cr_assert(o.balloon_auto);
    refused("--balloon auto", "goes with --machine-memory");
    refused("--balloon much", "is wanted");
    refused("--cpu bare --balloon 4", "does not go with --cpu bare");
}

Test(cli_options, repeatable_options_keep_their_order)
{
    cr_assert(parse("--initrd a --initrd b --disk d1 --disk d2,bus=ide "
                    "--disk odd,name,readonly,bus=ide"));
    cr_assert_eq(o.initrd_count, 2);
    cr_assert_str_eq(o.initrd[1], "b");
    cr_assert_eq(o.disk_count, 3);
    cr_assert_str_eq(o.disk[1].path, "d2");
    cr_assert(!o.disk[1].read_only);
    cr_assert_str_eq(o.disk[2].path, "odd,name");
    cr_assert(o.disk[2].read_only);
}

Test(cli_options, what_is_not_built_yet_says_so_and_what_is)
{
    refused("--cpu svm", "--cpu svm: unknown; there are bare, trap, bt-static");
    refused("--disk d,bus=virtio", "bus=virtio is not built yet");
    refused("--gdb 1234", "not built yet");
    refused("--trace t.json", "not built yet; .jsonl and .csv are");
}

Test(cli_options, pairs_that_do_not_go_together_name_the_valid_ones)
{
    refused("--cpu bare --mmu tlb", "with tlb or shadow");
    refused("--mmu shadow --cpu bare", "with tlb or shadow");
    refused("--mmu direct", "--mmu direct goes with --cpu pv only");
    refused("--cpu hvm --mmu direct", "pv with direct");
    refused("--what-if iopl1", "--cpu trap only");
    refused("--cpu bare --what-if iopl1", "--cpu trap only");
}

Test(cli_options, mistakes_are_one_line_that_names_the_option)
{
    refused("--cpu x", "there are bare, trap, bt-static");
    refused("--mmu x", "there are tlb, shadow");
    refused("--nonsense", "--nonsense");
    refused("--tlb 1000", "powers of two");
    refused("--tlb 1024,32", "at most 16 ways");
    refused("--tlb 1024,", "ENTRIES[,WAYS]");
    refused("--tlb 8", "16 to 65536");
    refused("--memory", "--memory");
    refused("--memory 1", "from 2 to 3072");
    refused("--memory 3073", "from 2 to 3072");
    refused("--memory -5", "from 2 to 3072");
    refused("--memory 64M", "from 2 to 3072");
    refused("--memory 99999999999999999999", "from 2 to 3072");
    refused("--max-cycles 0", "1 or more");
    refused("--max-cycles 99999999999999999999", "1 or more");
    refused("--max-time 0", "seconds");
    refused("--max-time nan", "seconds");
    refused("--max-time 5x", "seconds");
    cr_assert(!options_real(" 5", 0, 9, &(double){0}));
    cr_assert(!options_real("", 0, 9, &(double){0}));
    cr_assert(options_real("5e0", 0, 9, &(double){0}));
    refused("--serial tcp:1", "stdio, null or file:PATH");
    refused("--serial file:", "stdio, null or file:PATH");
    refused("--clock wall", "virtual or host");
    refused("--device tpm", "testdev");
    refused("--what-if x", "iopl1");
    refused("--cpu bare --mmu-without all", "no VMM");
    refused("--mmu-without walk-cache,x", "unknown optimization 'x'");
    refused("--mmu-without walk-cache,", "unknown optimization ''");
    refused("--trace t.txt", ".jsonl or .csv");
    refused("--disk ,bus=ide", "name is missing");
    refused("--disk d,bus=scsi", "unknown bus 'scsi'");
    refused("--disk 1 --disk 2 --disk 3 --disk 4 --disk 5", "4 disks at most");
    refused("a.elf b.elf", "more than one kernel: 'b.elf'");
}

Test(cli_options, a_switch_without_effect_is_refused)
{
    refused("--mmu-without vpid", "--mmu-without vpid does not go with --cpu "
                                  "bt --mmu shadow");
    refused("--cpu hvm --mmu nested --mmu-without space-vpid", "space-vpid");
    refused("--cpu hvm --mmu tlb --mmu-without space-vpid", "space-vpid");
    refused("--mmu tlb --mmu-without unsync", "unsync does not go");
    refused("--mmu-without prefetch,global", "global does not go");
    refused("--cpu pv --mmu direct --mmu-without eviction", "eviction does");
    refused("--mmu-without large", "large goes with --large-frames only");
    refused("--cpu hvm --mmu nested --mmu-without nested-large",
            "nested-large goes with --large-frames only");
    refused("--large-frames --mmu-without nested-large", "does not go");
    refused("--cpu bare --table-memory 64", "no VMM");
    refused("--cpu pv --mmu direct --table-memory 64", "--table-memory");
}

Test(cli_options, a_switch_of_what_is_there_is_taken)
{
    cr_assert(parse("--mmu-without walk-cache,prefetch,unsync,unshadow,"
                    "mmio-cache,eviction,large --large-frames"));
    cr_assert(parse("--mmu tlb --mmu-without walk-cache,prefetch,global,"
                    "mmio-cache,eviction"));
    cr_assert(parse("--cpu hvm --mmu-without vpid,space-vpid"));
    cr_assert(parse("--cpu hvm --mmu nested --large-frames --mmu-without "
                    "walk-cache,prefetch,nested-large,nested-ad,vpid"));
    cr_assert(parse("--cpu pv --mmu direct --mmu-without walk-cache"));
    cr_assert(parse("--cpu pv --mmu direct --mmu-without all"));
    cr_assert_eq(o.mmu_without, MMU_OPTIMIZATIONS);
}

Test(cli_compare, list_of_techniques_is_understood)
{
    struct comparison c = {.count = 0};
    cr_assert(parse(""));
    cr_assert(compare_parse_list(&c, &o,
                                 "bare,trap:tlb,bt-static,trap+iopl1:shadow"));
    cr_assert_eq(c.count, 4);
    cr_assert_str_eq(c.technique[0].name, "bare");
    cr_assert_str_eq(c.technique[1].name, "trap:tlb");
    cr_assert_str_eq(c.technique[2].name, "bt-static:shadow");
    cr_assert_str_eq(c.technique[3].name, "trap+iopl1:shadow");
    cr_assert(c.technique[3].iopl1 && !c.technique[2].iopl1);
}

Test(cli_compare, a_list_switches_optimizations_off)
{
    struct comparison c = {.count = 0};
    cr_assert(parse(""));
    cr_assert(compare_parse_list(&c, &o, "bt-inline-chain:tlb,bt,bt-static"));
    cr_assert_eq(c.count, 3);
    cr_assert_str_eq(c.technique[0].name, "bt-chain-inline:tlb");
    cr_assert_eq(c.technique[0].bt_without, 1u << BT_CHAIN | 1u << BT_INLINE);
    cr_assert_str_eq(c.technique[1].name, "bt:shadow");
    cr_assert_eq(c.technique[1].bt_without, 0);
    cr_assert_eq(c.technique[2].cpu, CPU_BT_STATIC);
}

Test(cli_compare, wrong_lists_are_refused, .init = cr_redirect_stderr)
{
    static const char *const lists[] = {
        "",       "bare:tlb",   "svm", "trap:nested", "bt-static+iopl1",
        "trap+x", "bare,,trap", "bt-", "bt-chains",   "bt--chain",
    };
    cr_assert(parse(""));
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct comparison c = {.count = 0};
        cr_assert(!compare_parse_list(&c, &o, lists[i]), "%s", lists[i]);
    }
}

static struct outcome outcome(const char *console, enum vm_stop stop)
{
    static const struct technique bare = {.cpu = CPU_BARE};

    return (struct outcome){.technique = &bare,
                            .console = (char *)(uintptr_t)console,
                            .console_bytes = strlen(console),
                            .stop = stop};
}

Test(cli_compare, first_differing_line_is_found)
{
    struct comparison c = {.count = 4};
    c.outcome[0] = outcome("one\ntwo\nthree\n", VM_POWER_OFF);
    c.outcome[1] = outcome("one\ntwo\nthree\n", VM_POWER_OFF);
    c.outcome[2] = outcome("one\ntwx\nthree\n", VM_POWER_OFF);
    c.outcome[3] = outcome("one\ntwo\n", VM_POWER_OFF);
    compare_judge(&c);
    cr_assert(!c.equal && c.outcome[1].equal);
    cr_assert_eq(c.outcome[2].line, 2);
    cr_assert_str_eq(c.outcome[2].expected, "two");
    cr_assert_str_eq(c.outcome[2].found, "twx");
    cr_assert_eq(c.outcome[3].line, 3);
}

Test(cli_compare, run_cut_off_by_a_limit_is_equal_as_far_as_it_goes)
{
    struct comparison c = {.count = 2};
    c.outcome[0] = outcome("one\ntwo\n", VM_POWER_OFF);
    c.outcome[1] = outcome("one\n", VM_RUNNING);
    c.outcome[1].limited = true;
    compare_judge(&c);
    cr_assert(c.equal && c.limited);
}

Test(cli_compare, same_console_with_another_end_differs)
{
    struct comparison c = {.count = 2};
    c.outcome[0] = outcome("x", VM_POWER_OFF);
    c.outcome[1] = outcome("x", VM_TRIPLE_FAULT);
    compare_judge(&c);
    cr_assert(!c.equal);
}
