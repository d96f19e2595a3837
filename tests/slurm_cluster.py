"""A Slurm cluster of two nodes on this machine, without accounting: a controller, two node daemons and their munge.

``python tests/slurm_cluster.py FOLDER`` starts one, prints what to export, and ends it at Ctrl-C.
"""

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
NODES = ("n1", "n2")

CONF = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdSpoolDir={folder}/spool-%n
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,sched_min_interval=100000,bf_interval=1,batch_sched_delay=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptMode=REQUEUE
PreemptType=preempt/partition_prio
KillWait=2
SlurmdTimeout=10
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 RealMemory=8000 State=UNKNOWN
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=60 State=UP PriorityTier=1
PartitionName=urgent Nodes=n1,n2 MaxTime=60 State=UP PriorityTier=10
"""


@dataclass(frozen=True)
class SlurmCluster:
    """Where a cluster keeps its files; commands find it by ``SLURM_CONF``."""

    folder: Path

    @property
    def conf(self) -> Path:
        """The value of ``SLURM_CONF``."""
        return self.folder / "slurm.conf"

    def start_node(self, name: str) -> None:
        """Start a node's daemon."""
        self._run(shutil.which("slurmd"), "-N", name, "-f", str(self.conf))

    def kill_node(self, name: str) -> None:
        """Kill a node's daemon and all that runs on it."""
        for process in [_daemon(self.folder / f"slurmd-{name}.pid"), *self._steps(name)]:
            for one in [process, *process.children(recursive=True)] if process else []:
                one.kill()

    def _steps(self, name: str) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() == "slurmstepd" and Path(process.cwd()) == self.folder / f"spool-{name}":
                    found.append(process)
        return found

    def start(self) -> None:
        """Start all daemons and wait for the nodes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # munge trusts nobody who could have let others in
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        named = [f"--{option}={self.folder}/munge.{suffix}" for option, suffix in files.items()]
        self._run(shutil.which("munged"), "--force", *named)
        (self.folder / "state").mkdir(exist_ok=True)
        self.conf.write_text(CONF.format(user=getpass.getuser(), folder=self.folder, ports=_free_ports(3)))
        self._run(shutil.which("slurmctld"), "-c", "-f", str(self.conf))
        for name in NODES:
            self.start_node(name)
        deadline = time.monotonic() + 30
        while (
            self._run("sinfo", "--noheader", "--responding", "--states=idle", "--Node", "--format=%N").split().count("n1") < 1
        ):
            if time.monotonic() > deadline:
                raise RuntimeError((self.folder / "slurmctld.log").read_text()[-2000:])
            time.sleep(0.2)

    def stop(self) -> None:
        """End all daemons and what they run, at once."""
        for name in NODES:
            self.kill_node(name)
        for name in ("slurmctld", "munge"):
            if daemon := _daemon(self.folder / f"{name}.pid"):
                daemon.kill()

    def _run(self, *command: str | None, check: bool = True) -> str:
        environment = {**os.environ, "SLURM_CONF": str(self.conf)}
        words = [str(word) for word in command]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=check).stdout


def why_not() -> str:
    """Return why no cluster can be started here; empty if one can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"needs Debian's slurm-wlm and munge (`make slurm`): no {', '.join(missing)}" if missing else ""


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[SlurmCluster]:
    """Yield a cluster that runs, and end it."""
    cluster = SlurmCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _daemon(pid_file: Path) -> psutil.Process | None:
    with suppress(OSError, ValueError, psutil.Error):
        return psutil.Process(int(pid_file.read_text()))
    return None


def _free_ports(n_ports: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n_ports)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


if __name__ == "__main__":
    with slurm_cluster(Path(sys.argv[1]).absolute()) as running:
        print(f"export SLURM_CONF={running.conf}", flush=True)
        signal.pause()
