#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# umbra compare: lock step, the verdict, and the instruction behind it.
set -euo pipefail
# shellcheck source=tests/cli/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

# want STATUS ARGS...: the exit status; what is said is in $scratch/out.
want() {
    local wanted=$1 got=0
    shift
    "$umbra" compare "$@" </dev/null >"$scratch/out" 2>&1 || got=$?
    ((got == wanted)) || fail "umbra compare $*: status $got, not $wanted"
}

# says TEXT: the latest one printed this line, or a part of it.
says() {
    grep -qF -- "$1" "$scratch/out" || {
        fail "no '$1' in"
        sed 's/^/    /' "$scratch/out"
    }
}

# matches REGEXP: likewise.
matches() {
    grep -qE -- "$1" "$scratch/out" || fail "nothing matches '$1'"
}

# Techniques that keep every register and byte as on the bare machine.
want 0 --append 'quiet run=forks,3' --techniques \
    bare,bt-static:tlb,bt:shadow,bt:shadow-unsync-walk-cache,hvm:tlb,pv:shadow,pv:tlb
says "The guest's results are equal."
grep -qE '^state equal +- +([0-9]+ points) +\1 +\1 +\1 +- +\1$' "$scratch/out" ||
    fail "state: not compared everywhere, or not at the same points"

# The first thing that a deprivileged kernel loses, by address and name.
want 1 --append 'quiet run=forks,3' --techniques bare,trap:shadow
matches '^trap:shadow: first divergence at cycle [0-9]+, c01[0-9a-f]{5} frame_alloc\+0x[0-9a-f]+: popfd$'
says '  EFLAGS: bare 00000286, trap:shadow 00000086'

# What is no register: IOPL in a pushed word.
want 1 --append 'quiet run=forks,3' --techniques bare,trap+iopl1:tlb
matches ': pushfd$'
matches '^  memory at [0-9a-f]{8}: bare 00000[0-9a-f]{3}, trap\+iopl1:tlb 00001[0-9a-f]{3}$'

# A limit: equal so far.
want 124 --techniques bare,bt:shadow --max-cycles 3000000
says 'equal as far as they go'

# A kernel of one's own has nobody to be compared with, but its results.
want 0 --append 'quiet run=touch,9' --techniques bare,pv:shadow
matches '^state equal +- +-$'

# ... and if these differ, who printed it.
want 1 --techniques bare,pv:shadow
matches '^pv:shadow: printed by c01[0-9a-f]{5} [a-z_]+\+0x[0-9a-f]+, cycle [0-9]+$'

# Each guest has its own copy of the disk, and what they leave must be equal.
truncate -s 64K "$scratch/disk"
want 0 --append 'quiet run=disk' --disk "$scratch/disk" --techniques bare,bt:tlb
matches '^disks +equal +equal$'
cmp -s "$scratch/disk" <(head -c 65536 /dev/zero) || fail 'disk written'

# Sizes hold for the techniques that have them, levels for one.
want 0 --append 'quiet run=forks,3' --bt-unit 12 --bt-cache 64 \
    --techniques bare,bt:tlb,hvm:nested2,hvm:nested3,hvm:nested
matches '^  entries read in a walk +2\.0 +2\.0 +[78]\.[0-9] +1[01]\.[0-9] +1[34]\.[0-9]$'
want 2 --techniques bare,hvm:nested --bt-unit 12
says '--bt-unit: no technique of the list is bt'
want 2 --techniques bare,hvm:shadow --nested-levels 2
says '--nested-levels: no technique of the list is nested'
want 2 --techniques hvm:nested5
says 'an integer from 2 to 4 is wanted'

# Bad names.
want 2 --techniques bt:shadow-frobnicate
says "unknown optimization 'frobnicate'"
want 2 --techniques bare:shadow-unsync
finish 'umbra compare holds'
