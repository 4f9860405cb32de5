#!/bin/sh
# SPDX-License-Identifier: MIT
# Brings up the device of one side of the link.   side.sh MINE OTHER
set -eu
mine=$1 other=$2

ip link set lo up
ip address replace "$mine" peer "$other" dev link0
ip link set link0 mtu 1500 up
# Waits as short as this make a run short: TCP sends again after 200 ms at the
# least otherwise, and acknowledges after 40.
ip route replace "$other" dev link0 rto_min 20ms quickack 1

# What a kernel does not have it does without.
set_tcp() { echo "$2" 2>/dev/null >"/proc/sys/net/ipv4/tcp_$1" || :; }
set_tcp no_metrics_save 1 # one bad connection is not to slow down the next
set_tcp rto_max_ms 1000   # nor is a long partition its own end
set_tcp syn_retries 15    # by far: connecting has deadlines of ours
