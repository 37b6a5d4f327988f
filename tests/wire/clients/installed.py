"""Installs the clients, each as its registry has it, at pinned versions with hashes checked.

Beside the built servers in the cache, in environments of their own: nothing of theirs gets into
ours.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.local.bootstrap import Tool, cache, exclusive, install_tools, uv

HERE = Path(__file__).parent
DRIVERS = HERE / "drivers"
PYTHON3 = HERE / "requirements-python3.txt"
THREE = HERE / "requirements-three.txt"
NPM = HERE / "npm"
JYTHON = "jython-standalone-2.7.4.jar"
JYTHON_SHA256 = "1fba1769effcc8b19f5e10436bc8274a158ce988559f257927c24c73bb137f3c"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
NODE = Tool(
    "node 18 with npm",
    lambda: shutil.which("node") is not None and shutil.which("npm") is not None,
    "nodejs npm",
    "apt-get install -y nodejs npm",
)


def python_clients() -> Path:
    """The interpreter of an environment with civicbot, georeport, boston311, chicagorequests."""

    def install(home: Path) -> None:
        _run([str(uv()), "venv", "--quiet", "--python", sys.executable, str(home)])
        pip = [str(uv()), "pip", "install", "--quiet", "--python", str(home)]
        _run([*pip, "--require-hashes", "--no-deps", "-r", str(PYTHON3)])

    return _installed("clients-python3", PYTHON3.read_bytes(), install) / "bin" / "python"


def three() -> list[str]:
    """The beginning of a command that runs a program under Python 2.7 where three can be imported.

    three says `itertools.ifilter`, so no Python 3 runs it. Jython is a Python 2.7 that Java runs,
    and Java is here for the broker.
    """

    def install(home: Path) -> None:
        target = ["--target", str(home / "lib"), "--python", sys.executable]
        pip = [str(uv()), "pip", "install", "--quiet", *target]
        _run([*pip, "--require-hashes", "--no-deps", "-r", str(THREE)])
        what = f"-Dartifact=org.python:jython-standalone:{JYTHON[18:-4]}"
        _run(["mvn", "-B", "-q", COPY, what, f"-DoutputDirectory={home}"])
        found = hashlib.sha256((home / JYTHON).read_bytes()).hexdigest()
        if found != JYTHON_SHA256:
            raise OSError(f"{JYTHON} is not the one that is pinned")

    pinned = THREE.read_bytes() + JYTHON_SHA256.encode()
    home = _installed("clients-three", pinned, install)
    # JYTHONPATH would be read too; a property leaves the environment alone.
    # For a program of seconds the full compiler costs more processor time than it saves.
    quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    return ["java", *quick, f"-Dpython.path={home / 'lib'}", "-jar", str(home / JYTHON)]


def node_client() -> Path:
    """A folder in which Node finds the npm client."""
    _need(NODE)

    def install(home: Path) -> None:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(NPM / name, home)
        shutil.copytree(NPM / "stand-ins", home / "stand-ins")
        _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=home)

    files = sorted(path for path in (NPM / "stand-ins").rglob("*") if path.is_file())
    pinned = b"".join(path.read_bytes() for path in (NPM / "package-lock.json", *files))
    return _installed("clients-npm", pinned, install)


def said(command: list[str], cwd: Path | None = None, seconds: float = 240.0) -> Any:
    """The JSON of the last line that a driver printed."""
    environ = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def _installed(name: str, pinned: bytes, install: Callable[[Path], None]) -> Path:
    """The folder of what these pins say, made once for each user."""
    home = cache() / f"{name}-{hashlib.sha256(pinned).hexdigest()[:16]}"
    # Environments know their place, so it is made where it will be and marked when it is whole.
    whole = home / ".whole"
    if not whole.exists():
        with exclusive(name), _reasoned(name):
            if not whole.exists():
                shutil.rmtree(home, ignore_errors=True)
                home.mkdir(parents=True)
                install(home)
                whole.touch()
    return home


@contextmanager
def _reasoned(name: str) -> Iterator[None]:
    """A registry that does not answer is no fault of ours: skip, and say so."""
    try:
        yield
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"{name} cannot be installed: {error}")


def _need(tool: Tool) -> None:
    if not tool.present():
        missing = install_tools([tool])
        if missing:
            pytest.skip(f"{tool.name} is missing; run: {tool.otherwise}")


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise OSError(f"{command[0]} failed: {(done.stdout + done.stderr)[-500:]}")
