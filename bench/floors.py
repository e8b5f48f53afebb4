"""What the machine itself needs for the same things: nothing can be faster."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from statistics import median

from api import Connection


def milliseconds(command, rounds=15, **options):
    """Median wall clock of a program."""
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, **options)
        taken.append((time.perf_counter() - begin) * 1e3)
    return median(taken)


def canned_answers(body):
    """Requests per second of this client against a process that always answers the same."""
    directory = tempfile.mkdtemp()
    path = os.path.join(directory, "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    child = os.fork()
    if child == 0:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        connection, _ = listener.accept()
        while connection.recv(65536):
            connection.sendall(answer)
        os._exit(0)
    rate = requests_per_second(path, "/1.0", 1.0)
    os.waitpid(child, 0)
    shutil.rmtree(directory)
    return rate


def requests_per_second(path, url, seconds):
    connection = Connection(path)
    request = f"GET {url} HTTP/1.1\r\nHost: lxd\r\n\r\n".encode()
    connection.raw(request)
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        connection.raw(request)
        done += 1
    rate = done / (time.perf_counter() - begin)
    connection.close()
    return rate


def all_floors(work, rootfs, debian, tree, big):
    """Figure name to floor, where there is a sensible one."""
    spawn = milliseconds(["/bin/true"])
    namespaces = ["unshare", "--user", "--map-root-user", "--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup", "--fork"]
    start = milliseconds([*namespaces, "--root", rootfs, "/bin/true"])
    floors = {
        "launch": start, "start": start, "exec": spawn * 2, "api.exec": spawn, "list.0": spawn,
        "list.200": spawn, "list.1000": spawn, "list.20-running": spawn, "api.1.0": canned_answers(b"x" * 4000),
    }
    copy = os.path.join(work, "fs", "floor-copy")

    def cleared(command):
        taken = []
        for _ in range(3):
            subprocess.run(["rm", "-rf", copy], check=True)
            taken.append(milliseconds(command, 1))
        subprocess.run(["rm", "-rf", copy], check=True)
        return median(taken)

    floors["push.tree2000"] = cleared(["cp", "-a", tree, copy])
    floors["pull.tree2000"] = floors["push.tree2000"]
    copied = cleared(["cp", "-a", "--reflink=never", big, copy])
    floors["push.256MiB"] = floors["pull.256MiB"] = 256 / (copied / 1e3)
    piped = milliseconds(["sh", "-c", "dd if=/dev/zero bs=128k count=2048 | cat > /dev/null"], 3)
    floors["exec.out"] = floors["exec.in"] = 256 / (piped / 1e3)
    if debian:
        floors["import"] = milliseconds(["sha256sum", debian[1]], 3)
        floors["create.debian.first"] = cleared(["unsquashfs", "-no-progress", "-quiet", "-dest", copy, debian[1]])
        subprocess.run(["unsquashfs", "-no-progress", "-quiet", "-dest", copy + "-src", debian[1]], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        floors["create.debian.again"] = cleared(["cp", "-a", "--reflink=auto", copy + "-src", copy])
        begin = time.perf_counter()
        shutil.rmtree(copy + "-src")
        floors["delete.debian"] = (time.perf_counter() - begin) * 1e3
    return floors
