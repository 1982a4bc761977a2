#!/usr/bin/env bash
# Builds Quark and its peers, runs them by turns, and writes RESULTS.md and results.svg:
# bench/peers/run.sh [options]; --help names them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
started=$PWD
cd "$here/../.."
source tools/setup.sh

rounds=5
seconds=0.3
minutes=38
out=$here
only=
workloads=
list=

usage() {
    cat <<'TEXT'
bench/peers/run.sh [options]

Builds quark-bench and its peers' programs, runs each workload of each by turns, every time in a
process of its own, and writes RESULTS.md, results.svg and runs.jsonl (each line as it came).
Nothing else should be running meanwhile.

  --rounds N         times that everyone's turn comes [5]; idle systems and new actors, 3 at most
  --peers A,B        only these peers; none: Quark alone
  --workloads A,B    only these workloads
  --seconds S        how long each timed loop takes [0.3]
  --minutes N        how long all may take, the building included [38]: rounds that would take
                     longer are left out
  --out DIR          where the files go [bench/peers]
  --list             name the peers, and end

Erlang and CAF take part where Debian's erlang-base and libcaf-dev are installed.
TEXT
}

while (($#)); do
    case $1 in
        --help | -h)
            usage
            exit
            ;;
        --list)
            list=1
            shift
            continue
            ;;
    esac
    (($# > 1)) || fail "$1 is unknown or lacks a value: see bench/peers/run.sh --help"
    case $1 in
        --rounds) rounds=$2 ;;
        --peers) only=$2 ;;
        --workloads) workloads=$2 ;;
        --seconds) seconds=$2 ;;
        --minutes) minutes=$2 ;;
        --out) out=$(cd "$started" && realpath -m -- "$2") ;;
        *) fail "unknown option $1: see bench/peers/run.sh --help" ;;
    esac
    shift 2
done
[[ $minutes =~ ^[0-9]{1,4}$ ]] || fail "--minutes takes a whole number, not $minutes"

# Every folder that builds a package called peer-FOLDER, and those that build themselves.
peers=()
for folder in "$here"/*/; do
    name=$(basename "$folder")
    [[ $name != compare ]] || continue
    if [[ -x $folder/build.sh ]] || grep -qs "^name = \"peer-$name\"" "$folder/Cargo.toml"; then
        peers+=("$name")
    fi
done

if [[ -n $list ]]; then
    ((${#peers[@]} == 0)) || printf '%s\n' "${peers[@]}"
    exit
fi
case $only in
    '') ;;
    none) peers=() ;;
    *)
        IFS=, read -ra asked <<<"$only"
        for name in "${asked[@]}"; do
            [[ " ${peers[*]} " == *" $name "* ]] || fail "no peer $name; there are: ${peers[*]}"
        done
        peers=("${asked[@]}")
        ;;
esac

# No components besides cargo.
# shellcheck disable=SC2119
set_up
# Seen from two folders, so from the root of all.
quark_target=$(realpath -m -- "${CARGO_TARGET_DIR:-target}")
target=$(realpath -m -- "${CARGO_TARGET_DIR:-$here/target}")

printf '== building Quark\n' >&2
CARGO_TARGET_DIR=$quark_target cargo build --locked --release -p quark-bench

packages=(peer-compare)
others=()
for name in "${peers[@]}"; do
    if [[ -x $here/$name/build.sh ]]; then
        others+=("$name")
    else
        packages+=("peer-$name")
    fi
done
printf '== building the peers: %s\n' "${peers[*]}" >&2
# One by one, for built together all would have what any of them asks of tokio: sockets to look after.
for package in "${packages[@]}"; do
    (cd "$here" && CARGO_TARGET_DIR=$target cargo build --locked --release -p "$package")
done

# What is missing for these is theirs to say; they then don't take part.
left_out=()
for name in "${others[@]}"; do
    "$here/$name/build.sh" "$target/release/peer-$name" || left_out+=("$name")
done
programs=()
for name in "${peers[@]}"; do
    [[ " ${left_out[*]:-} " == *" $name "* ]] || programs+=("$target/release/peer-$name")
done
printf '== built in %s s\n' "$SECONDS" >&2

# One round there must be.
left=$((minutes - (SECONDS + 59) / 60))
mkdir -p "$out"
"$target/release/peer-compare" --quark "$quark_target/release/quark-bench" \
    --rounds "$rounds" --seconds "$seconds" --minutes "$((left > 0 ? left : 0))" \
    ${workloads:+--workloads "$workloads"} --out "$out" "${programs[@]}"
printf '== all in %s s\n' "$SECONDS" >&2
