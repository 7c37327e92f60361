#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The command line's contract, on the real program: exit statuses, one clear
# line for every mistake, nothing but the guest on standard output.
set -u
export LC_ALL=C
umask 022

if [[ -z ${UMBRA:-} || ! -x $UMBRA ]]; then
    echo 'UMBRA does not name the program: skipped'
    exit 77
fi
scratch=$(mktemp -d)
trap 'chmod -R u+rwx "$scratch"; rm -rf "$scratch"' EXIT
failures=0

fail() {
    printf 'FAIL: %s\n' "$*"
    sed 's/^/    stderr: /' "$scratch/err"
    failures=$((failures + 1))
}

# want STATUS PATTERN ARGUMENTS...: exit status, and exactly one line on
# standard error, which holds PATTERN; nothing on standard output.
want() {
    local status=$1 pattern=$2 got
    shift 2
    "$UMBRA" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    got=$?
    [[ $got -eq $status ]] || fail "umbra $*: status $got, not $status"
    [[ $(wc -l <"$scratch/err") -eq 1 ]] || fail "umbra $*: not one line"
    grep -qF -e "$pattern" "$scratch/err" || fail "umbra $*: no '$pattern'"
    [[ ! -s $scratch/out ]] || fail "umbra $*: wrote to standard output"
}

# helps ARGUMENTS...: status 0, text on standard output only.
helps() {
    "$UMBRA" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null ||
        fail "umbra $*: status $?"
    [[ -s $scratch/out ]] || fail "umbra $*: says nothing"
    [[ ! -s $scratch/err ]] || fail "umbra $*: wrote to standard error"
}

# no_room ARGUMENTS...: no file can grow; the words and the exit status are in
# $scratch/err.
no_room() {
    (
        ulimit -f 0
        "$UMBRA" "$@" 2>&1 >"$scratch/full" </dev/null
        echo "status $?"
    ) | cat >"$scratch/err"
    grep -q '^status 2$' "$scratch/err" || fail "umbra $*, no room: status"
}

# full ARGUMENTS...: standard output cannot be written.
full() {
    no_room "$@"
    [[ $(wc -l <"$scratch/err") -eq 2 ]] || fail "umbra $*, no room: lines"
    grep -q 'standard output' "$scratch/err" || fail "umbra $*, no room"
}

# ---- Help ------------------------------------------------------------------

helps
helps --help
helps --version
helps help run
for command in run step compare disasm bench hole scan lab errata grade; do
    "$UMBRA" $command --help >"$scratch/out" 2>"$scratch/err" </dev/null ||
        fail "umbra $command --help: status $?"
    "$UMBRA" --help | grep -q "umbra $command " ||
        fail "umbra --help does not name $command"
done
for option in cpu mmu bt-without bt-unit bt-cache memory append initrd disk device serial stats trace \
    audit max-time max-cycles clock gdb; do
    "$UMBRA" run --help | grep -q -e "--$option=" ||
        fail "umbra run --help does not name --$option"
done
full --help
full run --help
full --version
full run --append 'quiet run=forks,1'
full scan @lumen
full disasm --json --at console_put --after 400000
full compare --techniques bare --append 'quiet run=forks,1'
full step --list-keys

# ---- Bad usage ---------------------------------------------------------------

want 2 "'frobnicate' is not a command" frobnicate
want 2 "unknown option '--frobnicate'" --frobnicate
want 2 "--frobnicate" run --frobnicate
want 2 "bare, trap, bt-static" run --cpu frobnicate
want 2 "goes with --cpu hvm only" run --mmu nested
want 2 "goes with --mmu nested only" run --nested-levels 2
want 2 "from 2 to 4" run --cpu hvm --mmu nested --nested-levels 5
want 2 "with tlb or shadow" run --cpu bare --mmu shadow
want 2 "--cpu bt only" run --cpu trap --bt-without chain
want 2 "--cpu trap only" run --cpu bt-static --what-if iopl1
want 2 "there are silent, mmu" run --cpu trap --audit frobnicate
want 2 "unknown audit 'mmu:0'" run --audit mmu:0
want 2 "no VMM" run --cpu bare --audit mmu
want 2 "--cpu trap only" run --audit silent
want 2 "from 2 to" run --memory 0
want 2 "from 2 to" run --memory lots
want 2 "128K: 256K (KiB) to 3072 (MiB)" run --machine-memory 128K
want 2 "256k: 256K (KiB) to 3072 (MiB)" run --machine-memory 256k
want 2 "0: 4K (KiB) to 3072 (MiB)" run --machine-memory 1 --swap-limit 0
want 2 "seconds" run --max-time never
want 2 "not built yet" run --gdb 1234
want 2 "more than one kernel" run a b
want 2 "@lumen" run @frobnicate
want 2 "translates nothing" disasm --cpu trap
want 2 "neither a name" disasm --at frobnicate
want 2 "cannot be" disasm --at 90000000 --after 1000
want 2 "no benchmark 'frobnicate'" bench frobnicate
want 2 "--cpu frobnicate: unknown" bench --cpu frobnicate
want 2 "--scale" bench --scale 0
want 2 "do not go together" bench --scale 2 --iterations 3
want 2 "qemu is the one" bench --vs frobnicate
want 2 "unexpected argument" hole frobnicate
want 2 "--cpu frobnicate: unknown" hole --cpu frobnicate
want 2 "not built yet" grade
want 2 "KERNEL" scan
want 2 "--frobnicate" compare --frobnicate
want 2 "unknown" compare --techniques frobnicate
want 2 "the name of a technique is missing" compare --techniques ''
want 2 "the name of a technique is missing" compare --techniques bare,,bt
want 2 "kernel's name is empty" run ''
want 2 "--initrd: the file's name is missing" run --initrd ''
want 2 "--keys: the file's name is missing" step --keys ''
want 2 "a number above 0" bench --scale ' 5'
want 2 "which KERNEL" scan ''

# ---- Bad input ----------------------------------------------------------------

cd "$scratch" || exit 1
: >empty
printf '#!/bin/sh\n' >script
printf 'some text\n' >text
printf '\177ELF\001\001\001' >stub.elf
mkdir folder
for command in run compare scan; do
    want 2 "missing: No such file or directory" $command missing
    want 2 "folder: is a directory" $command folder
    want 2 "empty: the file is empty" $command empty
    want 2 "script: not a multiboot ELF, a Linux bzImage" $command script
    want 2 "starts with 73 6f 6d 65" $command text
    want 2 "stub.elf: " $command stub.elf
    want 2 "not a regular file" $command /dev/null
done
want 2 "missing: No such file or directory" run --initrd missing
want 2 "missing: No such file or directory" run --disk missing
want 2 "folder: Is a directory" step --plain --keys folder
if [[ $(id -u) -ne 0 ]]; then
    cp text secret
    chmod 000 secret
    want 2 "secret: Permission denied" run secret
fi

lumen=${UMBRA_BUILD:-/nowhere}/guests/lumen
if [[ -f $lumen ]]; then
    size=$(stat -c %s "$lumen")
    for part in 3 6; do
        head -c $((size * part / 100)) "$lumen" >cut.elf
        want 2 "cut.elf: " run cut.elf
    done
fi
kernel=${UMBRA_LINUX:-/nowhere}/vmlinuz-686
if [[ -f $kernel ]]; then
    head -c 100000 "$kernel" >cut.bz
    "$UMBRA" run cut.bz >out 2>err </dev/null
    got=$?
    [[ $got -eq 2 ]] || fail "cut bzImage: status $got"
    grep -q 'cut short: 100000 bytes' err || fail "cut bzImage"
    "$UMBRA" scan "$kernel" >out 2>err </dev/null
    got=$?
    [[ $got -eq 2 ]] || fail "scan bzImage: status $got"
fi

# ---- Bad output ---------------------------------------------------------------

want 2 "nowhere/stats: No such file or directory" run --stats nowhere/stats
want 2 "nowhere/t.csv: No such file or directory" run --trace nowhere/t.csv
want 2 ".jsonl or .csv" run --trace t.txt
want 2 "nowhere/log: No such file or directory" run --serial file:nowhere/log

# What does not fit is told, and is no success.
for command in run audit; do
    no_room $command --stats full --serial null --append 'quiet run=forks,1'
    grep -q 'full: File too large' "$scratch/err" ||
        fail "$command --stats, no room"
done

# A mistaken name costs no file, and creates none.
head -c 512 /dev/zero >disk.img
want 2 "disk.img: the guest needs it" run --max-cycles 9 --stats disk.img --disk disk.img
want 2 "./text: the guest needs it" run --max-cycles 9 --screen ./text text
want 2 "text: the guest needs it" run --max-cycles 9 --serial file:text --initrd text
want 2 "text: the guest needs it" compare --csv text text
want 2 "twice: two kinds of output" run --max-cycles 9 --stats twice --screen twice
want 2 "twice: two kinds of output" compare --csv twice --report twice
[[ $(cat text) == 'some text' ]] || fail "an input was overwritten"
[[ ! -e twice ]] || fail "created although it was not written"

# A FIFO whose reader waits is written to, and closed but once.
mkfifo fifo
timeout 20 cat fifo >through &
reader=$!
timeout 20 "$UMBRA" run --max-cycles 1000 --stats fifo >out 2>err </dev/null
got=$?
[[ $got -eq 124 ]] || fail "--stats FIFO: status $got"
wait $reader
grep -q '"virtual_cycles"' through || fail "--stats FIFO: no JSON"

# ---- The built-in guest --------------------------------------------------------

"$UMBRA" scan @lumen >out 2>err || fail "umbra scan @lumen: status $?"
grep -q 'instructions reached' out || fail "umbra scan @lumen: no totals"
if "$UMBRA" run --max-cycles 1 >out 2>err </dev/null; [[ $? -eq 124 ]]; then
    [[ $(wc -l <err) -eq 1 ]] || fail "--max-cycles: not one line"
    "$UMBRA" run --max-cycles 1000 --serial null --stats - >out 2>err </dev/null
    grep -q '"virtual_cycles"' out || fail "--stats -: no JSON"
    "$UMBRA" run --cpu bare --max-time 0.05 --serial null >out 2>err </dev/null
    got=$?
    [[ $got -eq 124 || $got -eq 0 ]] || fail "--max-time: status $got"
    [[ ! -s out ]] || fail "--serial null: wrote to standard output"
else
    fail "umbra run --max-cycles 1"
fi

if [[ $failures -gt 0 ]]; then
    echo "$failures failures"
    exit 1
fi
echo 'the contract holds'
