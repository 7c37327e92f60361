#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Paravirtualization on the command line.
set -euo pipefail
# shellcheck source=tests/cli/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

# want STATUS TEXT ARGS...: the exit status, and a text in what is said.
want() {
    local wanted=$1 text=$2 got=0
    shift 2
    "$umbra" "$@" </dev/null >"$scratch/out" 2>&1 || got=$?
    ((got == wanted)) || fail "umbra $*: status $got, not $wanted"
    grep -qF -- "$text" "$scratch/out" || fail "umbra $*: no '$text'"
}

# The port is the default guest, and nothing else goes with it.
want 1 'self-test passed' run --cpu pv --append test
want 1 'primes: 303 up to' run --cpu pv --mmu tlb --append 'quiet run=primes,2000'
want 2 'not a paravirtual kernel' run --cpu pv @lumen
want 2 'needs --cpu pv' run --cpu trap @lumen-pv
want 2 'needs --cpu pv' run --cpu bare @lumen-pv
want 1 'self-test passed' run --cpu pv --mmu direct --append test
want 2 'goes with --cpu pv only' run --mmu direct
want 2 'does not go with --mmu direct' run --cpu pv --mmu direct --share
want 1 'self-test passed' run --cpu pv --mmu direct --balloon 4 --append 'balloon test'
want 2 "not 'trap+iopl1' or 'pv+nobatch'" compare --techniques trap+nobatch

# A kernel that gives up says so (a program that is not there).
want 3 'cannot run nothing' run --cpu pv --append 'run=nothing'

# Side by side, and what the lists save.
want 0 'results are equal' compare --append 'quiet run=forks,5' \
    --techniques bare,bt-static:shadow,pv+nobatch:shadow,pv:tlb,pv:shadow
awk '$1 == "hypercall" { if (!(2 * $4 > 3 * $6 && $2 == 0 && $3 == 0)) exit 1; seen = 1 }
     END { exit !seen }' "$scratch/out" ||
    fail 'compare: the lists do not save a third of the hypercalls'
want 0 'results are equal' compare --append 'quiet run=forks,5' \
    --techniques pv:direct,pv:shadow,pv:tlb,pv+nobatch:direct
want 0 'multicall_entries' compare --append 'quiet run=forks,5' @lumen-pv

# --stats by name of the call.
"$umbra" run --cpu pv --append 'quiet run=primes,100' --stats "$scratch/s" </dev/null >/dev/null || true
for key in '"set_gdt": 1' '"multicall_entries": [1-9]' '"upcalls": ' '"hypercall": [1-9]'; do
    grep -qE "$key" "$scratch/s" || fail "--stats: no $key"
done

# The step view tells of hypercalls.
printf ':until pic_init\nt\nt\nt\nq\n' | timeout 60 "$umbra" step --plain --cpu pv >"$scratch/out" 2>&1 ||
    fail 'umbra step --cpu pv'
grep -q 'hypercall' "$scratch/out" || fail 'umbra step --cpu pv: no hypercall'

# The size of the port is part of the lesson.
lines=$(cat guests/lumen/pv/* | wc -l)
for file in README.md guests/README.md; do
    grep -qE "(^|[^0-9])$lines lines" "$file" ||
        fail "$file: the port has $lines lines now"
done
finish 'paravirtualization holds'
