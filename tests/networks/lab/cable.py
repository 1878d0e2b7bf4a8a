"""cable.py ONE OTHER DELAY LOSS: a bad cable between two interfaces, in user space, because not every kernel has one.

Frames take DELAY milliseconds, and LOSS percent of them never arrive. The header that the kernel keeps about a frame
(a checksum not yet made, a packet not yet cut) travels along, so the ends need no special settings.
"""
import heapq
import random
import select
import socket
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, ETH_P_ALL = 263, 15, 23, 3
HEADER = 10


def end(interface):
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    raw.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    raw.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    raw.bind((interface, 0))
    raw.setblocking(False)
    return raw


def main(one, other, delay, loss):
    left, right = end(one), end(other)
    across = {left: right, right: left}
    dice = random.Random(1)
    under_way = []
    count = 0
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, _, out, frame = heapq.heappop(under_way)
            try:
                out.send(frame)
            except OSError:
                pass  # an interface that is gone, or full: a cable loses it
        wait = max(0.0, under_way[0][0] - now) if under_way else None
        for raw in select.select([left, right], [], [], wait)[0]:
            try:
                frame = raw.recv(HEADER + 65600)
            except OSError:
                continue
            if dice.random() * 100 >= loss:
                count += 1
                heapq.heappush(under_way, (time.monotonic() + delay / 1000, count, across[raw], frame))


main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
