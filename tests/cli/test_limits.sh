#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Little memory, under every pair of techniques: the least that makes progress
# makes it, and less ends with status 2 and one report of why.
set -euo pipefail
umbra=${UMBRA:-build/umbra}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0

# The least of everything: 64 frames of the machine's memory, 16 tables.
LEAST='--machine-memory 256K --table-memory 64'
WORK='quiet run=forks,3'
DONE='forks: 3 children, 0 wrong'

fail() {
    echo "FAIL: $*"
    status=1
}

# run WANTED ARGS...: its status; output and report go to $scratch.
run() {
    local wanted=$1 got=0
    shift
    timeout 60 "$umbra" run "$@" </dev/null >"$scratch/out" 2>"$scratch/err" ||
        got=$?
    ((got == wanted)) || fail "$*: status $got, not $wanted"
}

# said FILE TEXT COUNT: TEXT is in so many lines.
said() {
    local count
    count=$(grep -cF -- "$2" "$scratch/$1" || true)
    ((count == $3)) || fail "'$2' $count times, not $3: $(cat "$scratch/$1")"
}

progress() {
    run 1 "$@" --append "$WORK"
    said out "$DONE" 1
}

# full WHY ARGS...: where, why, what there is and what helps, once.
full() {
    local why=$1
    shift
    run 2 "$@" --append "$WORK"
    said err 'out of machine memory at ' 1
    said err "$why" 1
    said err 'more --machine-memory or --swap-limit helps' 1
    (($(wc -l <"$scratch/err") == 2)) || fail "$*: $(cat "$scratch/err")"
}

for pair in 'trap tlb @lumen-trap' 'trap shadow @lumen-trap' \
    'bt-static tlb @lumen' 'bt-static shadow @lumen' \
    'bt tlb @lumen' 'bt shadow @lumen' 'pv tlb @lumen-pv' 'pv shadow @lumen-pv' \
    'hvm tlb @lumen' 'hvm shadow @lumen' 'hvm nested @lumen'; do
    read -r cpu mmu kernel <<<"$pair"
    # shellcheck disable=SC2086
    set -- --cpu "$cpu" --mmu "$mmu" $LEAST "$kernel"
    progress "$@"
    progress "$@" --swap-limit 1 --share
    full "the host's swap is full: 4 KiB are in use" "$@" --swap-limit 4K
done

# Where the guest's own tables name its frames none can be taken away.
run 2 --cpu pv --mmu direct --machine-memory 256K
said err 'umbra run: --machine-memory does not go with --mmu direct' 1

# What no guest can do with, and what this one cannot.
run 2 --machine-memory 252K
said err '252K: 256K (KiB) to 3072 (MiB) is wanted' 1
run 2 --table-memory 63
said err '--table-memory 63: an integer from 64 ' 1
for cpu in bare bt hvm pv; do
    run 5 --cpu "$cpu" --memory 3 --append "$WORK"
    said out '3072 KiB of memory are too few' 1
done
exit "$status"
