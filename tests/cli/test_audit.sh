#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# umbra run --audit silent: every silent sensitive instruction is reported, with
# what was right, and the guest is none the wiser.
set -u
# shellcheck source=tests/cli/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

# says PATTERN: one line, of Umbra's.
says() {
    [[ $(grep -c "^umbra .*: .*$1" "$scratch/err") -eq 1 ]] || fail "no '$1'"
}

"$umbra" run --cpu trap @hole >"$scratch/plain" 2>/dev/null </dev/null ||
    [[ $? -eq 1 ]] || fail "without the audit: status $?"
"$umbra" run --cpu trap --audit silent @hole >"$scratch/out" \
    2>"$scratch/err" </dev/null || [[ $? -eq 1 ]] || fail "status $?"
cmp "$scratch/plain" "$scratch/out" || fail 'the guest notices the audit'

# Everything that the guest does of the hole; RET far to ring 0 and INT trap.
sites=$(sed -n 's/.*(try_\([a-z]*\)[_+].*/\1/p' "$scratch/err" | sort -u |
    tr '\n' ' ')
wanted='call iret jmp lar lsl mov pop popf push pushf ret sgdt sidt sldt smsw '
wanted+='str verr verw '
[[ $sites == "$wanted" ]] || fail "reported: $sites"

says '(try_pushf+0x0): pushf did not trap: the guest got 00000.86 where'
says '(try_push+0x0): push seg .* got 00000009 where 00000008 was right'
says '(try_sidt+0x0): sidt .* got 00000000 where 00[0-9A-F]*0 was right'
says '(try_sldt+0x0): sldt did not trap, and the guest got the right 00000030'
says '(try_pop_1+0x2): pop seg .* got 00000011 where fault 13 was right'
says '(try_jmp_1+0x0): jmp far .* got 00000009 where fault 13 was right'

places=$(grep -c 'audit: .* did not trap' "$scratch/err")
says "silent sensitive instructions at $places places"

# A kernel written without them: what is left harms nobody but at boot, where
# a far jump loads CS.
"$umbra" run --cpu trap --audit silent @lumen-trap --append test \
    >"$scratch/out" 2>"$scratch/err" </dev/null || [[ $? -eq 1 ]] ||
    fail "lumen-trap: status $?"
if grep 'was right' "$scratch/err" | grep -v 'jmp far\|(mov_cs'; then
    fail 'lumen-trap: something is wrong'
fi

# The tables, computed again while a guest runs.
for mmu in shadow tlb; do
    "$umbra" run --cpu trap --mmu $mmu --audit mmu:50 @lumen-trap \
        --append test >"$scratch/out" 2>"$scratch/err" </dev/null ||
        [[ $? -eq 1 ]] || fail "--audit mmu under $mmu: status $?"
    says 'tables were right [0-9]* times'
done

# The command that only does this, where every exit is looked at.
for how in "hvm nested" "pv direct" "bt shadow"; do
    read -r cpu mmu <<<"$how"
    "$umbra" audit --cpu "$cpu" --mmu "$mmu" --append 'quiet run=fault,null' \
        --audit mmu:1 >"$scratch/out" 2>"$scratch/err" </dev/null ||
        fail "audit under $how: status $?"
    says 'tables were right [0-9]* times'
    [[ ! -s "$scratch/out" ]] || fail "audit under $how: a console"
done
"$umbra" audit --cpu bare 2>"$scratch/err" && fail 'audit of the bare machine'
says 'no VMM'

# Observing changes nothing: but for its own events, the same ones at the same
# times. (The first column numbers them.)
events() { # NAME OPTION...
    local name=$1
    shift
    "$umbra" run --cpu trap "$@" --trace "$scratch/$name.csv" \
        --append 'quiet run=pingpong,2,64,50' >/dev/null 2>&1 </dev/null ||
        [[ $? -eq 1 ]] || fail "pingpong, $name: status $?"
    grep -v ',silent,' "$scratch/$name.csv" | cut -d, -f2- >"$scratch/$name"
}
events quiet
events audited --audit silent
cmp "$scratch/quiet" "$scratch/audited" || fail 'the audit moves events'
[[ $(wc -l <"$scratch/quiet") -gt 1000 ]] || fail 'hardly any events'

finish 'the audit holds'
