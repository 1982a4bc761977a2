#!/usr/bin/env bash
# Builds quark-bench and runs it: tools/bench.sh [arguments of quark-bench]. Without arguments,
# its main job. The real order feed is used where there is one: the file that QUARK_LOBSTER
# names, or the first of ../shared/data/lobster/*.csv; else a synthetic one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/setup.sh

# No components besides cargo.
# shellcheck disable=SC2119
set_up
cargo build --locked --release -p quark-bench

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
