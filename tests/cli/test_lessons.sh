#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What each memory technique costs falls out as numbers, exactly.
set -euo pipefail
# shellcheck source=tests/cli/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

# compare WORKLOAD TECHNIQUES: the numbers go to $scratch/csv.
compare() {
    "$umbra" compare --append "quiet run=$1" --techniques "$2" --csv - \
        </dev/null >"$scratch/csv" || fail "compare $1: not equal"
}

# count TECHNIQUE KEY: a total of the latest comparison.
count() {
    awk -F, -v t="$1" -v k="$2" '
        $1 == t && $2 == "total" && $4 == k { print $5; seen = 1 }
        END { if (!seen) print "no-" t "-" k }' "$scratch/csv"
}

# ---- An address-space switch costs the working set, or nothing ---------------

# hidden PAGES ROUNDS: hidden faults of two processes that touch PAGES pages at
# each of their ROUNDS turns, under tlb without prefetch, and under shadow.
tlb=bt:tlb-prefetch
hidden() {
    compare "pingpong,2,$1,$2" $tlb,bt:shadow,hvm:nested
    echo "$(count $tlb page_faults.hidden)" \
        "$(count bt:shadow page_faults.hidden)" \
        "$(count hvm:nested page_faults.hidden)"
}
read -r small_10 shadow_10 nested_10 < <(hidden 16 10)
read -r small_30 shadow_30 nested_30 < <(hidden 16 30)
read -r large_10 _ < <(hidden 48 10)
read -r large_30 _ < <(hidden 48 30)

# 20 rounds more of two turns each, 32 pages more: that many faults more.
more=$(((large_30 - large_10) - (small_30 - small_10)))
((more == 20 * 2 * 32)) || fail "tlb: $more hidden faults for the pages, not 1280"
((shadow_30 == shadow_10)) ||
    fail "shadow: $((shadow_30 - shadow_10)) hidden faults for 40 switches"
((nested_30 == nested_10)) ||
    fail "nested: $((nested_30 - nested_10)) faults for 40 switches"

# With prefetch a fault brings its neighbours along.
compare pingpong,2,48,30 bt:tlb,$tlb
(($(count bt:tlb page_faults.hidden) * 4 < $(count $tlb page_faults.hidden))) ||
    fail 'prefetch does not save three of four hidden faults'

# ---- Tags ----------------------------------------------------------------------

# Fills of the processor's TLB: a tag for each address space makes switches free
# (what grows are timer ticks' and exits' few), one tag for all costs the working
# set at each, and without a tag each VM exit costs what is in use.
tags=hvm:shadow,hvm:shadow-space-vpid,hvm:shadow-vpid
fills() {
    compare "pingpong,2,$1,$2" $tags
    echo "$(count hvm:shadow tlb.fills)" \
        "$(count hvm:shadow-space-vpid tlb.fills)" \
        "$(count hvm:shadow-vpid tlb.fills)"
}
read -r each_10 one_10 none_10 < <(fills 48 10)
read -r each_30 one_30 none_30 < <(fills 48 30)
((each_30 == each_10)) ||
    fail "a tag for each space: $((each_30 - each_10)) fills for 40 switches"
((one_30 - one_10 >= 40 * 48)) ||
    fail "one tag: $((one_30 - one_10)) fills for 40 switches with 48 pages each"
((none_30 - none_10 >= one_30 - one_10 && none_30 > one_30)) ||
    fail "no tag: $none_30 fills, $one_30 with one"

# ---- What is kept takes memory ------------------------------------------------

# spaces TECHNIQUE: how many address spaces there were at the last point.
spaces() {
    awk -F, -v t="$1" '$1 == t && $4 == "address_spaces" { n = $5 }
        END { print n }' "$scratch/csv"
}
tables() {
    compare "pingpong,$1,8,4" bt:tlb,bt:shadow
    echo "$(count bt:tlb shadow.tables_peak)" \
        "$(count bt:shadow shadow.tables_peak)" \
        "$(spaces bt:tlb)" "$(spaces bt:shadow)"
}
read -r tlb_2 shadow_2 spaces_2 _ < <(tables 2)
read -r tlb_10 shadow_10 spaces_10 again < <(tables 10)
((spaces_10 == spaces_2 + 8 && spaces_10 == again)) ||
    fail "$spaces_2 address spaces for 2 processes, $spaces_10, $again for 10"
((tlb_10 == tlb_2)) || fail "tlb: $tlb_10 tables for 10 processes, $tlb_2 for 2"
((shadow_10 >= shadow_2 + 8 * 2)) ||
    fail "shadow: $shadow_10 tables for 10 processes, $shadow_2 for 2"

# ---- A batch of table writes ---------------------------------------------------

compare protect,512,2 hvm:shadow-unsync,hvm:shadow,hvm:tlb,hvm:nested
traced=$(count hvm:shadow-unsync page_faults.trace)
unsync=$(count hvm:shadow page_faults.trace)
((traced > 1000)) || fail "only $traced traced writes of 1024 entries"
((unsync * 20 < traced)) || fail "unsync: $unsync trace faults, $traced without"
(($(count hvm:shadow kvm.mmu_unsync) > 0)) || fail 'nothing went out of sync'
for technique in hvm:tlb hvm:nested; do
    (($(count $technique page_faults.trace) == 0)) ||
        fail "$technique: trace faults"
done

# ---- Walks ---------------------------------------------------------------------

# Two levels of the guest's below four of the VMM's: 14; large pages cost less.
compare touch,200,3,4 bare,bt:shadow,hvm:nested
within() {
    awk -v x="$1" -v from="$2" -v to="$3" 'BEGIN { exit !(x >= from && x <= to) }' ||
        fail "$4: $1 references a walk, not $2 to $3"
}
within "$(count bare walk.references_per_walk)" 1.9 2 bare
within "$(count bt:shadow walk.references_per_walk)" 1.9 2 shadow
within "$(count hvm:nested walk.references_per_walk)" 13.5 14 nested

# The guest's own large pages: shorter walks, fewer entries; 4 KiB in the VMM's
# tables.
compare touch,200,3,4 bare
short=$(count bare walk.references)
"$umbra" compare --append 'pse quiet run=touch,200,3,4' --techniques bare,bt:tlb \
    --csv - </dev/null >"$scratch/csv"
(($(count bare walk.references) < short)) || fail 'pse: no shorter walks'

# ---- The user can ask ----------------------------------------------------------

"$umbra" run --append 'quiet run=workloads' </dev/null >"$scratch/out" || true
for workload in pingpong forks protect churn touch; do
    grep -q "^  $workload " "$scratch/out" || fail "workloads: no $workload"
done
finish 'the lessons hold'
