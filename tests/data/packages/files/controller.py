"""A Bluetooth controller made by software: the kernel's commands are answered, nothing is near.

Source: Bluetooth Core Specification, volume 4, part E, section 7.
"""

import os
import struct

COMMAND, EVENT, VENDOR = 1, 4, 0xFF
COMPLETE = 0x0E
ADDRESS = bytes.fromhex("010203040506")
ANSWERS = {0x1005: struct.pack("<HBHH", 1021, 64, 4, 4), 0x1009: ADDRESS}
"""Buffers, and the address; to everything else the answer is zeros."""

controller = os.open("/dev/vhci", os.O_RDWR)
os.write(controller, bytes([VENDOR, 0]))
while True:
    packet = os.read(controller, 1024)
    if packet[0] == COMMAND:
        answer = ANSWERS.get(int.from_bytes(packet[1:3], "little"), bytes(248))
        head = bytes([EVENT, COMPLETE, 4 + len(answer), 1])
        os.write(controller, head + packet[1:3] + b"\0" + answer)
