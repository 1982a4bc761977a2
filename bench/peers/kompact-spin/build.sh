#!/usr/bin/env bash
# Builds Kompact's program with pool threads that spin: build.sh OUT makes the program OUT.
#
# Kompact decides when it is compiled whether its threads sleep, and Cargo would give one build's
# choice to all, so this is a build apart.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m -- "${1:?build.sh OUT}")

(cd "$here/.." && CARGO_TARGET_DIR=$out.target \
    cargo build --locked --release -p peer-kompact --features spin)
mkdir -p "$(dirname "$out")"
cp "$out.target/release/peer-kompact" "$out"
