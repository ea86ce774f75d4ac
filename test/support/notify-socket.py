"""A service manager's socket (sd_notify): binds the address, a path or "@name", and prints a JSON line for every datagram.

    python3 notify-socket.py ADDRESS
"""

import json
import os
import socket
import sys
import time

address = sys.argv[1]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
listener.bind("\0" + address[1:] if address.startswith("@") else address)
if not address.startswith("@"):
    os.chmod(address, 0o666)
print("{}", flush=True)
while True:
    data, control, _, _ = listener.recvmsg(65536, socket.CMSG_SPACE(12))
    pid = int.from_bytes(control[0][2][:4], sys.byteorder)
    print(json.dumps({"at": time.monotonic(), "pid": pid, "text": data.decode()}), flush=True)
