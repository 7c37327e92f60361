#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# umbra hole: trap-and-emulate differs from the bare machine exactly where the
# theory says (Robin & Irvine, USENIX Security 2000), the others nowhere.
set -u
# shellcheck source=tests/cli/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"
needs jq

# same WHAT WANTED GOT
same() {
    [[ $2 == "$3" ]] || fail "$1: '$3', not '$2'"
}

# names FILTER: of the answers that it selects, "technique name" in order.
names() {
    jq -r ".instructions[] | .name as \$name | .techniques[] | select($1) |
        \$name" "$json" | tr '\n' ' '
}

# answer NAME TECHNIQUE
answer() {
    jq -r ".instructions[] | select(.name == \"$1\") | .techniques[] |
        select(.technique == \"$2\") | .answer" "$json"
}

json=$scratch/tlb
"$umbra" hole --json --mmu tlb >"$json" || fail "--mmu tlb: status $?"
json=$scratch/shadow
"$umbra" hole --json >"$json" || fail "status $?"
cmp <(jq .instructions "$scratch/tlb") <(jq .instructions "$scratch/shadow") ||
    fail 'the memory techniques differ'

same 'the paper and the five others' 23 "$(jq '.instructions | length' "$json")"
same 'in no group of the paper' 'iret in out rdtsc cpuid ' \
    "$(jq -r '.instructions[] | select(.group == "-") | .name' "$json" |
        tr '\n' ' ')"
same 'differs under trap' "sgdt sidt smsw pushf popf lar lsl verr verw pop push\
 call jmp ret str mov iret " "$(names '.technique == "trap" and (.equal | not)')"
same 'differs elsewhere' '' \
    "$(names '.technique != "trap" and (.equal | not)')"
same 'traps by itself' 'int ret in out ' \
    "$(names '.technique == "trap" and .trapped')"
same 'is made to trap' "sgdt sidt sldt smsw pushf popf lar lsl verr verw pop\
 push call jmp int ret str mov iret in out " \
    "$(names '.technique == "bt-static" and .trapped')"
same 'traps on the bare machine' '' \
    "$(names '.technique == "bare" and .trapped')"

same PUSHF 'if=0 if=1' "$(answer pushf bare) $(answer pushf trap)"
same POPF 'interrupted=0 interrupted=1' \
    "$(answer popf bare) $(answer popf trap)"
same PUSH 'cs=0008 ss=0010 cs=0009 ss=0011' \
    "$(answer push bare) $(answer push trap)"
same 'IN at ring 3' 'mask=000000fd ring3=fault13' "$(answer in trap)"

"$umbra" hole >"$scratch/text" || fail "text: status $?"
[[ $(awk 'length > 80 || / $/' "$scratch/text" | wc -l) -eq 0 ]] ||
    fail 'lines of more than 80 columns, or trailing blanks'
grep -q '^popf .*DIFFERS' "$scratch/text" || fail 'no row for POPF'

finish 'the hole is where it should be'
