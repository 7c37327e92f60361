# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Sourced by ./run and ./check.
#
#   umbra_setup build|check              packages and Unicorn (sets unicorn)
#   umbra_build PRESET DIR TARGET...     configure if need be, and build

umbra_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
unicorn=

umbra_say() { printf 'umbra: %s\n' "$*" >&2; }

# One set-up or build at a time in this tree; umbra_unlock ends it.
umbra_lock() {
    mkdir -p "$umbra_root/build"
    exec 9>"$umbra_root/build/.lock"
    flock -n 9 2>/dev/null && return
    umbra_say 'waiting for another build in this folder'
    flock 9
}

umbra_unlock() { exec 9>&-; }

umbra_setup() {
    "$umbra_root/setup/packages.sh" "$1"
    unicorn=$("$umbra_root/setup/unicorn.sh" "$umbra_root/build/deps/unicorn")
}

umbra_build() (
    preset=$1 dir=$umbra_root/$2
    shift 2
    cd "$umbra_root" || exit 1
    mkdir -p "$dir"

    # A tree that was configured in another place starts afresh.
    if [[ -e $dir/CMakeCache.txt ]] && ! grep -qxF \
        "CMAKE_HOME_DIRECTORY:INTERNAL=$umbra_root" "$dir/CMakeCache.txt"; then
        rm -rf "$dir/CMakeCache.txt" "$dir/CMakeFiles" "$dir/build.ninja"
    fi
    # Configured already, with these presets, this Unicorn and the unit tests'
    # Criterion (which ./check may have installed after ./run configured)?
    want=$(cat CMakePresets.json && echo "$unicorn" &&
        echo "criterion $(pkg-config --modversion criterion 2>/dev/null)")
    if [[ ! -e $dir/build.ninja || ! -e $dir/.configured ||
        $(<"$dir/.configured") != "$want" ]]; then
        umbra_say "configuring ${dir##*/}/"
        rm -f "$dir/.configured"
        if ! cmake --preset "$preset" -DUNICORN_PREFIX="$unicorn" \
            >"$dir/configure.log" 2>&1; then
            cat "$dir/configure.log" >&2
            umbra_say "could not configure ${dir##*/}/"
            exit 1
        fi
        echo "$want" >"$dir/.configured"
    fi

    # One line a step (on a terminal one line in all), nothing when up to date.
    NINJA_STATUS='umbra: [%f/%t] ' ninja -C "$dir" -j "$(nproc)" "$@" 2>&1 |
        umbra_progress >&2 && exit 0
    umbra_say "could not build ${dir##*/}/"
    exit 1
)

umbra_progress() {
    local line open=
    while IFS= read -r line; do
        case $line in
        'ninja: Entering directory'* | 'ninja: no work to do.') ;;
        *'Re-checking globbed directories...' | '-- '*) ;;
        'umbra: ['*)
            if [[ -t 1 ]]; then
                printf '\r\033[K%.*s' "$((${COLUMNS:-80} - 1))" "$line"
                open=yes
            else
                printf '%s\n' "$line"
            fi
            ;;
        *)
            printf '%s%s\n' "${open:+$'\n'}" "$line"
            open=
            ;;
        esac
    done
    [[ -z $open ]] || echo
}
