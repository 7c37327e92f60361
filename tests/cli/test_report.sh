#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# umbra compare --csv and --report.
set -euo pipefail
# shellcheck source=tests/cli/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

run() {
    "$umbra" compare --append 'quiet run=pingpong,2,16,20' "$@" </dev/null
}

techniques=(--techniques bare,bt:tlb,bt:shadow,hvm:shadow,pv:tlb)
run "${techniques[@]}" --csv "$scratch/csv" --report "$scratch/html" \
    >"$scratch/table"

# ---- CSV -------------------------------------------------------------------

# value TECHNIQUE KEY: of the totals.
value() {
    awk -F, -v t="$1" -v k="$2" \
        '$1 == t && $2 == "total" && $4 == k { print $5 }' "$scratch/csv"
}

[[ $(head -n 1 "$scratch/csv") == technique,kind,at,key,value ]] ||
    fail 'csv: the head'
awk -F, 'NF != 5 { exit 1 }' "$scratch/csv" || fail 'csv: not 5 columns'
run "${techniques[@]}" --csv - | grep -v host_seconds >"$scratch/again"
grep -v host_seconds "$scratch/csv" | cmp -s - "$scratch/again" ||
    fail 'csv: another run gives other numbers'

# The same number in the table, in --stats and here.
"$umbra" run --cpu bt --mmu tlb --append 'quiet run=pingpong,2,16,20' \
    --serial null --stats - >"$scratch/stats" </dev/null || true
hidden=$(value bt:tlb page_faults.hidden)
grep -q "\"hidden\": $hidden,\$" "$scratch/stats" || fail 'csv and --stats'
grep -qE "^  H hidden +0 +$hidden " "$scratch/table" || fail 'csv and table'

# Faults after each load of CR3 add up to all.
sum=$(awk -F, '$1 == "bt:tlb" && $2 == "switch" && $4 ~ /hidden/ { n += $5 }
               END { print n }' "$scratch/csv")
[[ $sum == "$hidden" ]] || fail "switches: $sum hidden faults, not $hidden"

# What the table says in short: a switch costs the working set, or nothing.
short=$(sed -n '/^in short$/,$p' "$scratch/table")
grep -qE '^  H hidden / CR3 load +- +[1-9][0-9.]* +0\.0 +0\.0 +' <<<"$short" ||
    fail "table: in short, $short"

# ---- The page --------------------------------------------------------------

[[ $(head -n 1 "$scratch/html") == '<!DOCTYPE html>' ]] || fail 'html: doctype'
grep -qiE '<script|<link|<img|@import|src=|href=|https?:' "$scratch/html" &&
    fail 'html: not self-contained'
[[ $(grep -c '<svg role="img"' "$scratch/html") == 5 ]] || fail 'html: plots'
[[ $(grep -c '<desc ' "$scratch/html") == 5 ]] || fail 'html: descriptions'
grep -q ">$hidden</td>" "$scratch/html" || fail 'html: no table of faults'
if command -v python3 >/dev/null; then
    python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' \
        "$scratch/html" || fail 'html: not well-formed'
fi

# The guest's words are no markup.
"$umbra" compare --append 'quiet run=echo,</pre><script>alert(1)</script>' \
    --techniques bare --report - </dev/null >"$scratch/html"
grep -q '&lt;script&gt;alert' "$scratch/html" || fail 'html: no console'
grep -q '<script' "$scratch/html" && fail 'html: not escaped'

# ---- Files that cannot be written --------------------------------------------

# refuses TEXT ARGS...: status 2, and one line.
refuses() {
    local text=$1 got=0
    shift
    run --techniques bare "$@" >"$scratch/out" 2>"$scratch/err" || got=$?
    [[ $got == 2 ]] || fail "$*: status $got"
    [[ $(wc -l <"$scratch/err") == 1 ]] || fail "$*: not one line"
    grep -qF "$text" "$scratch/err" || fail "$*: no '$text'"
}

# Before the run, and with no result that is lost.
refuses 'nowhere/x: No such file' --csv "$scratch/nowhere/x"
[[ ! -s $scratch/out ]] || fail 'a run although the file cannot be written'
refuses "$scratch: Is a directory" --report "$scratch"
refuses 'standard output' --csv - --report -
refuses 'name is missing' --csv ''
if [[ -e /dev/full ]]; then
    refuses '/dev/full: No space left' --csv /dev/full
    refuses '/dev/full: No space left' --report /dev/full
fi

# What is there stays as it is until there is something better.
mkdir "$scratch/folder"
echo before >"$scratch/folder/html"
(
    ulimit -f 16
    refuses 'File too large' "${techniques[@]}" \
        --report "$scratch/folder/html" >"$scratch/said"
    refuses 'File too large' "${techniques[@]}" \
        --csv "$scratch/folder/csv" >>"$scratch/said"
)
[[ ! -s $scratch/said ]] || fail "$(cat "$scratch/said")"
[[ $(ls "$scratch/folder") == html && $(cat "$scratch/folder/html") == before ]] ||
    fail "a part of a file: $(ls "$scratch/folder")"

# An interrupt leaves nothing.
got=0
timeout --signal=INT 1 "$umbra" compare --append 'quiet run=forks,1000000' \
    --techniques bare,bt:shadow --csv "$scratch/folder/csv" --report \
    "$scratch/folder/html" </dev/null >"$scratch/out" 2>&1 || got=$?
[[ $got == 124 ]] || fail "an interrupt: status $got"
[[ $(ls "$scratch/folder") == html && $(cat "$scratch/folder/html") == before ]] ||
    fail "an interrupt left $(ls "$scratch/folder")"

# A new file has a new file's rights, and a link stays one.
ln -s html "$scratch/folder/link"
chmod 640 "$scratch/folder/html"
run --techniques bare --report "$scratch/folder/link" --csv "$scratch/folder/csv" \
    >"$scratch/out"
[[ -L $scratch/folder/link && $(stat -c %a "$scratch/folder/html") == 640 ]] ||
    fail 'a replaced file'
touch "$scratch/folder/touched"
[[ $(stat -c %a "$scratch/folder/csv") == $(stat -c %a "$scratch/folder/touched") ]] ||
    fail 'the rights of a new file'
finish 'the files are what they should be'
