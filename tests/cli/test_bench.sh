#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# umbra bench: its guest's results are the same under every technique, its
# counts the same in every run, and some counts are what theory says.
set -u
# shellcheck source=tests/cli/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"
needs jq

run() {
    "$umbra" bench --json --repeat 1 --iterations 30 --mmu tlb,shadow \
        >"$scratch/$1" 2>"$scratch/err" </dev/null ||
        fail "umbra bench: status $?: $(cat "$scratch/err")"
}

# per BENCHMARK TECHNIQUE FILTER WANTED: a count of an iteration.
per() {
    local got
    got=$(jq ".benchmarks[] | select(.name == \"$1\") | .results[] |
        select(.technique == \"$2\") | .per_iteration | $3" "$scratch/one")
    [[ $got == "$4" ]] || fail "$1 under $2: $3 is $got, not $4"
}

run one
run two
for file in one two; do
    jq 'del(.geometric_mean) | del(.benchmarks[].results[].host)' \
        "$scratch/$file" >"$scratch/$file.counts" || fail "$file: no JSON"
done
cmp "$scratch/one.counts" "$scratch/two.counts" ||
    fail 'two runs counted differently'

# The hole: PUSHF and POPF do not trap, and nothing else is lost.
wrong=$(jq -r '.benchmarks[] | .name as $name | .results[] |
    select(.equal | not) | "\($name) \(.technique)"' "$scratch/one")
[[ $wrong == $'popf trap:tlb\npopf trap:shadow' ]] ||
    fail "results that differ from the bare machine's: $wrong"
bare=$(jq -r '.benchmarks[].results[0].answer' "$scratch/one" |
    grep -vc '^checksum [0-9a-f]\{8\}$')
[[ $bare -eq 0 ]] || fail 'the bare machine has wrong results'

per user trap:shadow '.exits.total < 1' true # a page's first use
per user bt-static:tlb '.exits.total < 1' true
per callret trap:shadow '.exits.total < 1' true
per syscall bare .exits.total 0
per syscall trap:shadow .exits.software_interrupt 1
per cr8wr trap:tlb .exits.privileged 1
per clisti trap:shadow .exits.privileged 2
per popf bt-static:shadow .exits.patched 2
per process trap:shadow .page_faults.true 4
per switch trap:tlb '.page_faults.hidden >= 2' true
per switch trap:shadow '.page_faults.hidden < 2' true

# The yardstick from outside, and its absence.
if command -v qemu-system-i386 >/dev/null; then
    "$umbra" bench --json --repeat 1 --iterations 30 --cpu bare --vs qemu \
        >"$scratch/qemu" 2>"$scratch/err" </dev/null ||
        fail "--vs qemu: status $?: $(cat "$scratch/err")"
    [[ $(jq '[.benchmarks[].results[] | select(.equal | not)] | length' \
        "$scratch/qemu") == 0 ]] || fail 'QEMU has other results'
fi
PATH=/nonexistent "$umbra" bench callret --repeat 1 --iterations 30 --vs qemu \
    >"$scratch/out" 2>"$scratch/err" </dev/null ||
    fail "without QEMU: status $?"
grep -q 'qemu-system-i386 is not installed' "$scratch/err" ||
    fail 'without QEMU: not a word'
[[ $(awk 'length > 80' "$scratch/out" | wc -l) -eq 0 ]] ||
    fail 'lines of more than 80 columns'

finish 'umbra bench holds'
