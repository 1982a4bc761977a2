#!/usr/bin/env bash
# Compiles the Erlang peer: build.sh OUT makes the program OUT, and a folder of modules beside it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(realpath -m -- "${1:?build.sh OUT}")

if ! command -v erl >/dev/null || ! command -v erlc >/dev/null; then
    printf 'erlang: left out, there is no erl here (Debian: apt-get install erlang-base)\n' >&2
    exit 1
fi
mkdir -p "$out.ebin"
erlc -Wall -o "$out.ebin" "$here"/*.erl
printf '#!/usr/bin/env bash\nPEER_EBIN=%q exec %q "$@"\n' "$out.ebin" "$here/peer.sh" >"$out"
chmod +x "$out"
