"""Start a real Slurm on this machine: munge, a controller and a node, in a separate folder."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = (
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "squeue",
    "scancel",
    "scontrol",
    "sinfo",
)
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoAddrCache
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmctldTimeout=300
SlurmdTimeout=300
MinJobAge=900
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """Return the programs of Slurm and munge that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]


def _path() -> str:
    return os.environ["PATH"] + ":/usr/sbin:/sbin"


@dataclass
class Slurm:
    """A running cluster of one node."""

    folder: Path
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        """Start a daemon in the foreground of a new process."""
        with (self.folder / f"{name}.out").open("ab") as out:
            self.processes[name] = subprocess.Popen(
                command, env=self.environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )

    def start_node(self) -> None:
        """Start slurmd."""
        self.start("slurmd", "slurmd", "-D", "-f", str(self.folder / "slurm.conf"))

    def stop(self, name: str) -> None:
        """Stop a daemon and wait for its end."""
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def run(self, *command: str) -> str:
        """Run a Slurm command and return its output."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout

    def jobs(self) -> list[tuple[str, str, str]]:
        """Return id, state and comment of waiting and running jobs."""
        text = self.run("squeue", "--noheader", "--format=%i|%T|%k")
        rows = [tuple(line.split("|", 2)) for line in text.splitlines() if line.count("|") >= 2]
        return [(one, state, comment) for one, state, comment in rows]

    def wait_ready(self) -> None:
        """Wait until the node is idle."""
        deadline = time.monotonic() + 120
        while "idle" not in self.run("sinfo", "--noheader", "--format=%T"):
            if time.monotonic() > deadline:
                raise TimeoutError((self.folder / "slurmctld.log").read_text()[-3000:])
            time.sleep(0.5)


@contextmanager
def cluster(folder: Path, cpus: int = 4, memory_mib: int = 8000) -> Iterator[Slurm]:
    """Start munge, slurmctld and slurmd; stop them at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    text = CONFIGURATION.format(
        host=socket.gethostname().split(".")[0],
        ports=_free_ports(2),
        folder=folder,
        cpus=cpus,
        memory=memory_mib,
    )
    (folder / "slurm.conf").write_text(text)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": _path()}
    environment["PATH"] = f"{_srun_with_configuration(folder)}:{environment['PATH']}"
    slurm = Slurm(folder, environment)
    try:
        _start_munge(slurm)
        slurm.start("slurmctld", "slurmctld", "-D", "-f", str(folder / "slurm.conf"))
        slurm.start_node()
        slurm.wait_ready()
        yield slurm
    finally:
        slurm.run("scancel", "--full", "--user=root")
        for name in reversed(list(slurm.processes)):
            slurm.stop(name)


def _srun_with_configuration(folder: Path) -> Path:
    """Return a folder with a wrapper of srun that sets the configuration in a job's steps.

    A usual cluster has its configuration in /etc/slurm; this one does not change the machine.
    """
    wrapper = folder / "bin" / "srun"
    wrapper.parent.mkdir()
    srun = shutil.which("srun", path=_path())
    wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {srun} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper.parent


def _start_munge(slurm: Slurm) -> None:
    files = {
        "key-file": "munge.key",
        "socket": "munge.socket",
        "pid-file": "munge.pid",
        "log-file": "munge.log",
        "seed-file": "munge.seed",
    }
    options = [f"--{option}={slurm.folder / name}" for option, name in files.items()]
    slurm.start("munged", "munged", "--foreground", "--force", *options)
    deadline = time.monotonic() + 30
    while not (slurm.folder / "munge.socket").exists() and time.monotonic() < deadline:
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    """Return free ports."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
