#!/usr/bin/env bash
# Builds quark-bench and runs it: tools/bench.sh [arguments of quark-bench]. Without arguments,
# its main job. The real order feed is used where there is one: the file that QUARK_LOBSTER
# names, or the first of ../shared/data/lobster/*.csv; else a synthetic one. What keeps states on
# servers is built in where an argument names it, or QUARK_SERVERS is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/setup.sh

# No components besides cargo.
# shellcheck disable=SC2119
set_up
features=()
for server in redis postgres; do
    if [[ -n ${QUARK_SERVERS:-} || " $* " == *" durable-$server "* ]]; then
        features+=(--features "$server")
    fi
done
if [[ " $* " == *" remote-load "* ]]; then
    features+=(--features redis)
fi
cargo build --locked --release -p quark-bench "${features[@]}"

if [[ -n ${QUARK_LOBSTER:-} ]]; then
    [[ -r $QUARK_LOBSTER ]] || fail "cannot read $QUARK_LOBSTER, which QUARK_LOBSTER names"
else
    for feed in ../shared/data/lobster/*.csv; do
        if [[ -r $feed ]]; then
            export QUARK_LOBSTER=$feed
            break
        fi
    done
fi
printf '== order feed: %s\n' "${QUARK_LOBSTER:-synthetic}" >&2

exec "${CARGO_TARGET_DIR:-target}/release/quark-bench" "$@"
