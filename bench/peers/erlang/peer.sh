#!/usr/bin/env bash
# Runs the Erlang peer: how many schedulers there are, and how long they busy-wait before they
# sleep, is up to the virtual machine's command line, so the workload and mode are looked up here.
set -euo pipefail
# A dump of a failed run is of use to nobody.
export ERL_CRASH_DUMP_BYTES=0

all=(ask-local ask-cross tell-local tell-cross fan-in fan-out ring ping-pong activate idle)
mode=default seconds=0.7 keys=1000000 describe=
workloads=()
while (($#)); do
    case $1 in
        --mode) mode=$2 && shift ;;
        --seconds) seconds=$2 && shift ;;
        --keys) keys=$2 && shift ;;
        --describe) describe=1 ;;
        *)
            [[ " ${all[*]} " == *" $1 "* ]] || { echo "no workload $1" >&2 && exit 2; }
            workloads+=("$1")
            ;;
    esac
    shift
done

# Sets `command` to what runs one workload. Schedulers busy-wait for a while before they sleep, by
# default for some time; `busy-wait` has them do it as long as they can be told to.
prepare() {
    local wait schedulers=2
    case $mode in
        default | hibernate) wait=medium ;;
        park) wait=none ;;
        busy-wait) wait=very_long ;;
        *) echo "no mode $mode: default, park, busy-wait, hibernate" >&2 && exit 2 ;;
    esac
    # What takes place on one core has one scheduler.
    case $1 in
        ask-local | tell-local | ring | activate) schedulers=1 ;;
    esac
    command=(erl -noshell -noinput +S "$schedulers:$schedulers" +sbt db +P 4000000
        +sbwt "$wait" +sbwtdcpu "$wait" +sbwtdio "$wait"
        -pa "${PEER_EBIN:?build.sh makes the program to be run}"
        -run peer_main main "$1" "$mode" "$seconds" "$keys")
}

if [[ -n $describe ]]; then
    prepare describe
    exec "${command[@]}"
fi
((${#workloads[@]})) || workloads=("${all[@]}")
last=${workloads[-1]}
unset 'workloads[-1]'
for workload in "${workloads[@]}"; do
    prepare "$workload"
    "${command[@]}"
done
# Whoever ends this process means the virtual machine.
prepare "$last"
exec "${command[@]}"
