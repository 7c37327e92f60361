#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The labs judge rightly: the reference solution passes everything, the starter
# compiles and fails, each wrong one fails where its mistake is, with the
# message that says so. Nothing is overwritten; bad usage is one line.
#
# timeout: 180
set -u
export LC_ALL=C

if [[ -z ${UMBRA:-} || ! -x $UMBRA ]]; then
    echo 'UMBRA does not name the program: skipped'
    exit 77
fi
lab=$PWD/labs/05-hidden-faults
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch
failures=0

fail() {
    printf 'FAIL: %s\n' "$*"
    sed 's/^/    /' "$scratch/out" "$scratch/err"
    failures=$((failures + 1))
}

# run STATUS ARGUMENTS...
run() {
    local status=$1 got
    shift
    timeout 60 "$UMBRA" lab "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    got=$?
    [[ $got -eq $status ]] || fail "umbra lab $*: status $got, not $status"
}

says() { grep -qF -e "$1" "$scratch/out" || fail "no '$1'"; }

# usage PATTERN ARGUMENTS...: one line, status 2
usage() {
    local pattern=$1
    shift
    run 2 "$@"
    [[ $(wc -l <"$scratch/err") -eq 1 && ! -s $scratch/out ]] ||
        fail "umbra lab $*: not one line"
    grep -qF -e "$pattern" "$scratch/err" || fail "umbra lab $*: no '$pattern'"
}

# ---- list, start -------------------------------------------------------------

run 0 list
says '05-hidden-faults'
run 0 --help
says 'Usage: umbra lab list'
cd "$scratch" || exit 1
run 0 start hidden-faults
for file in README.md decide.c decide.h; do
    [[ -s 05-hidden-faults/$file ]] || fail "start: no $file"
done
cmp -s 05-hidden-faults/decide.c "$lab/starter/decide.c" || fail 'start: decide.c'
echo '/* mine */' >05-hidden-faults/decide.c
usage 'is there already; nothing was written' start 5
grep -q mine 05-hidden-faults/decide.c || fail 'start: overwrote'
mkdir half && echo mine >half/decide.h
usage 'half/decide.h: is there already' start 5 half
[[ $(ls half) == decide.h && $(<half/decide.h) == mine ]] || fail 'start: half'
ln -s /nowhere dangling
usage 'dangling' start 5 dangling

usage 'list, start or test'
usage 'not list, start or test' frobnicate
usage 'list takes no arguments' list all
usage "no lab 'frobnicate'" start frobnicate
usage "no lab '99'" start 99
usage "lab's name" start
usage "no lab's file is here" test .
usage "no test 'frobnicate'" test "$lab/solution" -t frobnicate
usage "unknown option '--frobnicate'" test --frobnicate
usage 'both have standard output' test "$lab/solution" --tap --json -
usage 'nowhere/r.json: No such file' test "$lab/solution" -t tables-wp \
    --json nowhere/r.json
usage "file's name is missing" test "$lab/solution" --json ''
usage "folder's name is missing" start 5 ''

# What is no regular file stays what it is, and gets one result.
mkfifo fifo
timeout 60 cat fifo >through &
reader=$!
run 0 test "$lab/solution" -t tables-wp --json fifo
wait $reader
[[ -p fifo ]] || fail '--json FIFO: replaced'
[[ $(grep -c '"schema"' through) -eq 1 ]] || fail '--json FIFO: not one result'

# ---- The starter, the solution ------------------------------------------------

run 0 start 5 work
run 1 test work
says 'build ................. ok        decide.c (0 warnings)'
says 'score 0/12'
[[ $(grep -c ': does not decide$' out) -eq 9 ]] || fail 'starter: not all fail'

run 0 test "$lab/solution"
says 'score 12/12'
[[ $(grep -c ' ok  ' out) -eq 10 ]] || fail 'solution: not all passed'
run 0 test "$lab/solution" --seed 12345
cd "$lab/solution" && run 0 test && cd "$scratch" || exit 1

# The guests' numbers are those of the monitor's own counters.
"$UMBRA" run --cpu bt-static --mmu shadow --append 'quiet run=touch,40' \
    --serial null --stats - </dev/null 2>/dev/null >stats
true_faults=$(sed -n 's/.*"true": \([0-9]*\),*$/\1/p' stats)
run 0 test "$lab/solution" -t guest-touch
says " hidden, $true_faults true"
says 'no score'

# ---- What is wrong is found ----------------------------------------------------

# wrong NAME TEST MESSAGE: TEST is the first that does not pass
wrong() {
    mkdir -p wrong
    cp "$lab/wrong/$1.c" wrong/decide.c
    run 1 test wrong
    local first
    first=$(grep -m1 ' FAIL ' out)
    [[ $first == *"$2 ."*"first difference at "*": $3" ]] ||
        fail "$1: '$first', not '$2 ... $3'"
    seen+=("$1.c")
}
seen=()
wrong reflects-hidden tables-pages 'reflects a hidden fault'
wrong real-error tables-pages 'reflects the wrong error code'
wrong needs-dirty tables-pages 'reflects a hidden fault'
wrong no-user-check tables-rights 'fills a true fault'
wrong one-level tables-rights 'fills with the wrong rights'
wrong ignores-wp tables-wp 'reflects a hidden fault'
wrong ignores-large tables-large 'fills a true fault'
wrong large-start tables-large 'fills the wrong page'
[[ $(printf '%s\n' "${seen[@]}" | sort) == "$(ls "$lab/wrong")" ]] ||
    fail 'a wrong one is not tried here'

# A difference in a guest is shown by the command that the report gives.
cp "$lab/wrong/no-user-check.c" wrong/decide.c
run 1 test wrong -t guest-selftest
says 'class true'
says 'wanted  REFLECT, error code 0x5'
eval "set -- $(sed -n 's/^ *look *umbra //p' out)"
event=$(sed -n 's/.*:goto #//p' out)
echo ":goto #$event" |
    timeout 60 "$UMBRA" "$@" >shown 2>err || fail "umbra $*"
grep -q "^#$event at .*T true" shown || fail "umbra $*: not at #$event"

# ---- The build ------------------------------------------------------------------

mkdir broken
echo 'int x = ;' >broken/decide.c
run 1 test broken
says 'decide.c does not compile'
says 'decide.c:1:9'
says 'score 0/12'
sed 's/return d;/int unused; return d;/' "$lab/starter/decide.c" >broken/decide.c
run 1 test broken -t tables-wp
says '(1 warning)'
sed 's/return d;/return other(d);/' "$lab/starter/decide.c" >broken/decide.c
run 1 test broken -t tables-wp
says 'does not compile'
if command -v clang >/dev/null; then
    CC='clang -O2' run 0 test "$lab/solution" -t tables
fi
CC=/nowhere/cc run 70 test "$lab/solution" -t tables
says "the tests' own runner"
[[ -z $(find "$scratch" -maxdepth 1 -name 'umbra-lab-*') ]] ||
    fail 'a build folder was left'

if [[ $failures -gt 0 ]]; then
    echo "$failures failures"
    exit 1
fi
echo 'the labs judge rightly'
