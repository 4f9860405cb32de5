#!/bin/sh
# SPDX-License-Identifier: MIT
# Brings up the device of one side of the link.   side.sh MINE OTHER
set -eu
mine=$1 other=$2

ip link set lo up
ip address replace "$mine" peer "$other" dev link0
ip link set link0 mtu 1500 up
# Short waits make a run short: by default, TCP waits at least 200 ms before it sends
# again, and 40 before it acknowledges.
ip route replace "$other" dev link0 rto_min 20ms quickack 1

# Settings that a kernel does not have are skipped.
set_tcp() { echo "$2" 2>/dev/null >"/proc/sys/net/ipv4/tcp_$1" || :; }
set_tcp no_metrics_save 1 # a bad connection must not slow down the next
set_tcp rto_max_ms 1000   # after a long partition, sends again soon
set_tcp syn_retries 15    # more than enough: our own deadlines end connecting
