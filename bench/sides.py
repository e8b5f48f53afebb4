"""The two daemons that are compared."""

import os
import shutil
import subprocess
import time

from api import Connection

PRESEED = """
networks:
- name: {bridge}
  type: bridge
  config:
    ipv4.address: {address}
    ipv4.nat: "false"
    ipv4.routing: "false"
    ipv6.address: none
{extra}
storage_pools:
- name: default
  driver: dir
profiles:
- name: default
  devices:
    root: {{path: /, pool: default, type: disk}}
    eth0: {{name: eth0, nictype: bridged, parent: {bridge}, type: nic}}
"""


class Side:
    """A daemon with a directory of its own, and its client."""

    def __init__(self, name, work, lxd, lxc, bridge, address, extra="", environment=None):
        self.name, self.lxd, self.lxc = name, lxd, lxc
        self.dir = os.path.join(work, "fs", name)
        self.conf = os.path.join(work, "conf-" + name)
        self.log = os.path.join(work, name + ".log")
        self.socket = os.path.join(self.dir, "unix.socket")
        self.preseed = PRESEED.format(bridge=bridge, address=address, extra=extra)
        self.process = None
        os.makedirs(self.dir, mode=0o711)
        os.makedirs(self.conf)
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG")}
        self.environment = kept | (environment or {}) | {"LXD_DIR": self.dir, "LXD_CONF": self.conf}

    def start(self):
        """Start the daemon; milliseconds until it answers."""
        begin = time.perf_counter()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.lxd, "--group", "root", "--logfile", self.log + ".d"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while True:
            try:
                connection = self.connect()
                connection.raw(b"GET /internal/ready HTTP/1.1\r\nHost: lxd\r\n\r\n")
                connection.close()
                return (time.perf_counter() - begin) * 1e3
            except OSError:
                if self.process.poll() is not None or time.perf_counter() - begin > 60:
                    raise RuntimeError(f"{self.name}: the daemon did not start; see {self.log}") from None
                time.sleep(0.002)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def initialise(self):
        subprocess.run([self.lxd, "init", "--preseed"], input=self.preseed.encode(),
                       env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def connect(self):
        return Connection(self.socket)

    def run(self, *arguments, stdin=subprocess.DEVNULL, check=True, stdout=subprocess.DEVNULL):
        """Run the client; milliseconds of wall clock."""
        begin = time.perf_counter()
        done = subprocess.run([self.lxc, *arguments], env=self.environment, stdin=stdin,
                              stdout=stdout, stderr=subprocess.PIPE)
        took = (time.perf_counter() - begin) * 1e3
        if check and done.returncode != 0:
            raise RuntimeError(f"{self.name}: lxc {' '.join(arguments)}: {done.stderr.decode().strip()}")
        return took


def ours(work, target):
    return Side("ours", work, os.path.join(target, "lxd"), os.path.join(target, "lxc"), "lvbench1", "10.78.1.1/24")


def peer(work, lxcfs):
    """Debian's daemon, or why it cannot be had."""
    lxd, lxc = "/usr/bin/lxd", "/usr/bin/lxc"
    if not os.path.exists(lxd) or not os.path.exists(lxc):
        return None, "Debian's packages lxd and lxd-client are not installed"
    version = subprocess.run([lxd, "--version"], capture_output=True, text=True).stdout.strip()
    if not version.startswith("5.0.2"):
        return None, f"/usr/bin/lxd is {version}, not 5.0.2"
    # The daemon goes to the internet when it starts; this keeps it from waiting for an answer.
    environment = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    if lxcfs and shutil.which("lxcfs"):
        os.makedirs("/var/lib/lxcfs", exist_ok=True)
        subprocess.Popen(["lxcfs", "/var/lib/lxcfs"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, start_new_session=True)
        note = "with lxcfs, as Debian ships it"
    else:
        # The packaged LXC configuration hooks lxcfs in; an empty one does not.
        templates = os.path.join(work, "lxc-config")
        os.makedirs(os.path.join(templates, "common.conf.d"))
        environment["LXD_LXC_TEMPLATE_CONFIG"] = templates
        note = "without lxcfs"
    side = Side("peer", work, lxd, lxc, "lvbench0", "10.78.0.1/24", "    raw.dnsmasq: no-resolv", environment)
    return side, f"lxd {version}, {note}"
