#!/usr/bin/python3
"""Mininet's 100 hosts on one Linux bridge: prints the seconds that up and down took."""
import sys
import time

from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo

setLogLevel("error")
start = time.monotonic()
net = Mininet(topo=SingleSwitchTopo(int(sys.argv[1])), switch=LinuxBridge, controller=None)
net.start()
up = time.monotonic() - start
first, last = net.hosts[0], net.hosts[-1]
answer = first.cmd(f"ping -c1 -W2 {last.IP()}")
start = time.monotonic()
net.stop()
down = time.monotonic() - start
if "1 received" not in answer:
    sys.exit(f"Mininet's hosts do not reach each other: {answer}")
print(f"{up:.3f} {down:.3f}")
