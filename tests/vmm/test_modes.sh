#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A guest that goes through the processor's modes (guests/modes) says the same
# under every technique as on the bare machine; in VMX non-root operation it
# takes as long, too.
set -euo pipefail

: "${UMBRA:?}" "${UMBRA_BUILD:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() { # NAME OPTIONS...
    local name=$1 status=0
    shift
    "$UMBRA" run "$@" --max-cycles 100000000 --stats "$work/$name.json" \
        "$UMBRA_BUILD/guests/modes" > "$work/$name.out" 2> "$work/$name.err" \
        < /dev/null || status=$?
    if [ $status -ne 1 ]; then
        echo "$name: exit status $status"
        cat "$work/$name.out" "$work/$name.err"
        exit 1
    fi
    grep '"virtual_cycles"' "$work/$name.json" > "$work/$name.cycles"
}

run bare --cpu bare
grep -q '^another task$' "$work/bare.out"
for mmu in tlb shadow; do
    for cpu in trap bt hvm; do
        run "$cpu-$mmu" --cpu "$cpu" --mmu "$mmu"
        diff -u "$work/bare.out" "$work/$cpu-$mmu.out"
    done
    diff -u "$work/bare.cycles" "$work/hvm-$mmu.cycles"
done
run hvm-nested --cpu hvm --mmu nested
diff -u "$work/bare.out" "$work/hvm-nested.out"
diff -u "$work/bare.cycles" "$work/hvm-nested.cycles"
echo "through all modes on bare, trap, bt and hvm"
