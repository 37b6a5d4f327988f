"""Installs everything in a fresh clone. Uses only the standard library, because it runs before
anything else exists.

Two things are made. The project's environment (`.venv`) is installed from `requirements.lock`, with
hashes required. The servers are built from package registries by name and version into a cache
outside the checkout, so that a second clone has them at once. Each is built in a separate folder
and renamed when done, so the cache contains only complete builds.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DISTRIBUTION_PYTHON = Path("/usr/bin/python3")
UV_VERSION = "0.13.9"
KAFKA_VERSION = "4.3.1"
DATABASE_VERSION = "0.5.3-beta.196"
STORE_VERSION = "1.8.0"

Command = list[str | Path]


class SetupError(Exception):
    """Something that set-up needs is missing or has failed; the message says what to do."""


def say(text: str) -> None:
    print(text, flush=True)


def cache() -> Path:
    """Where built servers are stored, for all of this user's clones."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "direct311"


def environment() -> Path:
    """The project's virtual environment; DIRECT311_VENV puts it elsewhere."""
    return Path(os.environ.get("DIRECT311_VENV") or REPOSITORY / ".venv")


def interpreter() -> Path:
    """The Python for a new environment: DIRECT311_PYTHON, or else the distribution's, or else this
    one.

    Distributions compile theirs with profiles and link-time optimization; one that pyenv built with
    its defaults accepts a sixth fewer submissions per second.
    """
    if chosen := os.environ.get("DIRECT311_PYTHON"):
        return Path(chosen)
    recent: Command = [
        DISTRIBUTION_PYTHON,
        "-c",
        "import sys; sys.exit(sys.version_info < (3, 11))",
    ]
    if DISTRIBUTION_PYTHON.exists() and subprocess.run(recent, check=False).returncode == 0:
        return DISTRIBUTION_PYTHON
    return Path(sys.executable)


def members() -> list[Path]:
    """The workspace's packages, in a fixed order."""
    return sorted(path.parent for path in REPOSITORY.glob("*/*/pyproject.toml"))


def kafka_libraries() -> Path:
    return cache() / f"kafka-{KAFKA_VERSION}" / "libs"


def database_program() -> Path:
    return cache() / f"secantus-mdb-{DATABASE_VERSION}" / "bin" / "secantusd-rs"


def store_program() -> Path:
    return cache() / f"versitygw-{STORE_VERSION}" / "bin" / "versitygw"


def setup() -> None:
    """Installs everything a clone needs, once; a second call finds it done and returns in
    milliseconds."""
    missing = [server for server in SERVERS if not server.product().exists()]
    _install_toolchains(missing)
    if not environment_is_current():
        create_environment()
    if missing:
        _build(missing)


# --- the environment -----------------------------------------------------------------------------


def environment_is_current() -> bool:
    stamp = environment() / ".direct311"
    return stamp.exists() and stamp.read_text() == _environment_digest()


def create_environment() -> None:
    """Makes or updates the environment to match `requirements.lock` exactly.

    Raises SetupError when Python is too old or an installation fails.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - any Python may run this file
        raise SetupError(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    started = time.monotonic()
    say(f"python: installing the locked packages into {environment()} (usually 20 s)")
    program = uv()
    python = environment() / "bin" / "python"
    if not python.exists():
        _run([program, "venv", "--quiet", "--python", interpreter(), environment()])
    install: Command = [program, "pip", "install", "--quiet", "--python", python]
    _run([*install, "--require-hashes", "-r", REPOSITORY / "requirements.lock"])
    # The members' build tool is locked too, so that nothing unlocked is fetched for them.
    editable: Command = [part for member in members() for part in ("--editable", member)]
    _run([*install, "--no-deps", "--no-build-isolation", *editable])
    (environment() / ".direct311").write_text(_environment_digest())
    say(f"python: done in {time.monotonic() - started:.0f} s")


def _environment_digest() -> str:
    digest = hashlib.sha256(f"{REPOSITORY} {UV_VERSION}".encode())
    for path in [REPOSITORY / "requirements.lock", *(m / "pyproject.toml" for m in members())]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def uv() -> Path:
    """uv, in its own small environment next to the servers."""
    home = cache() / f"uv-{UV_VERSION}"
    if not (home / "bin" / "uv").exists():
        with exclusive("uv"):
            if not (home / "bin" / "uv").exists():
                _run([sys.executable, "-m", "venv", "--clear", home])
                _run([home / "bin" / "pip", "install", "--quiet", f"uv=={UV_VERSION}"])
    return home / "bin" / "uv"


def lock() -> None:
    """Rewrites `requirements.lock`: versions and hashes of everything, and no addresses.

    Raises SetupError when the members' requirements cannot be met together.
    """
    program = uv()
    _run([program, "lock", "--quiet", "--project", REPOSITORY])
    export: Command = ["export", "--quiet", "--frozen", "--group", "dev", "--no-emit-workspace"]
    plain: Command = [
        "--no-header",
        "--no-annotate",
        "--output-file",
        REPOSITORY / "requirements.lock",
    ]
    _run([program, "--project", REPOSITORY, *export, *plain])


def dist() -> None:
    """Builds a wheel of every member into `dist/`, with the lock's build tool.

    Raises SetupError when one does not build.
    """
    out = REPOSITORY / "dist"
    shutil.rmtree(out, ignore_errors=True)
    build: Command = ["build", "--quiet", "--all-packages", "--wheel", "--out-dir", out]
    hashes: Command = ["--build-constraints", REPOSITORY / "requirements.lock"]
    _run([uv(), "--project", REPOSITORY, *build, *hashes, REPOSITORY])
    for wheel in sorted(out.glob("*.whl")):
        say(f"dist/{wheel.name}")


# --- toolchains ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tool:
    """A program that builds or runs a server: how to detect it, how to install it."""

    name: str
    present: Callable[[], bool]
    package: str
    """Debian's package, or packages."""
    otherwise: str
    """What to run if Debian's package is too old, or on another system."""


def _version_at_least(command: list[str], least: tuple[int, int]) -> Callable[[], bool]:
    def present() -> bool:
        if shutil.which(command[0]) is None:
            return False
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        found = re.search(r"(\d+)\.(\d+)", answer.stdout + answer.stderr)
        return found is not None and (int(found[1]), int(found[2])) >= least

    return present


def _on_path(*programs: str) -> Callable[[], bool]:
    return lambda: all(shutil.which(program) for program in programs)


def _libmagic() -> bool:
    with contextlib.suppress(OSError):
        ctypes.CDLL("libmagic.so.1")
        return True
    return shutil.which("brew") is not None and shutil.which("file") is not None


def _venv() -> bool:
    return subprocess.run([sys.executable, "-c", "import ensurepip"], check=False).returncode == 0


JAVA = Tool(
    "java 17",
    _version_at_least(["java", "-version"], (17, 0)),
    "default-jre-headless",
    "apt-get install -y openjdk-17-jre-headless",
)
MAVEN = Tool("maven", _on_path("mvn"), "maven", "apt-get install -y maven")
GO = Tool(
    "go 1.21 (it fetches the newer one that it needs)",
    _version_at_least(["go", "version"], (1, 21)),
    "golang-go",
    "install Go 1.25 or newer, see https://go.dev/doc/install",
)
RUST = Tool(
    "cargo 1.95",
    _version_at_least(["cargo", "--version"], (1, 95)),
    "cargo",
    "rustup toolchain install 1.95 && rustup default 1.95   # rustup: https://rustup.rs",
)
COMPILER = Tool(
    "C and C++ compilers",
    _on_path("cc", "c++", "make"),
    "build-essential",
    "apt-get install -y build-essential",
)
CMAKE = Tool("cmake", _on_path("cmake"), "cmake", "apt-get install -y cmake")
MAGIC = Tool("libmagic", _libmagic, "libmagic1", "apt-get install -y libmagic1")
VENV = Tool("python3-venv", _venv, "python3-venv", "apt-get install -y python3-venv")

ALWAYS = (VENV, JAVA, MAGIC)


def _install_toolchains(servers: "list[Server]") -> None:
    """Installs what is missing if it may (as root on Debian); otherwise says what to run."""
    tools = list(dict.fromkeys([*ALWAYS, *(tool for server in servers for tool in server.tools)]))
    if missing := install_tools(tools):
        lines = [f"  {tool.name}:  {tool.otherwise}" for tool in missing]
        raise SetupError("these are needed; run\n" + "\n".join(lines))


def install_tools(tools: Sequence[Tool]) -> list[Tool]:
    """Installs the missing ones, as root on Debian; returns those still missing."""
    missing = [tool for tool in tools if not tool.present()]
    if not missing:
        return []
    say("missing: " + ", ".join(tool.name for tool in missing))
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [package for tool in missing for package in tool.package.split()]
        say("installing from Debian: " + " ".join(packages) + " (usually 1 min)")
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        quiet = ["apt-get", "-qq", "-o=Dpkg::Use-Pty=0"]
        _run([*quiet, "update"], env=environ)
        _run([*quiet, "install", "-y", "--no-install-recommends", *packages], env=environ)
        missing = [tool for tool in missing if not tool.present()]
    return missing


# --- servers -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    name: str
    usual: str
    """How long a build takes on two cores."""
    tools: tuple[Tool, ...]
    product: Callable[[], Path]
    """The file that exists once it is built; its second parent is the folder that is renamed into
    place."""
    build: Callable[[Path, Path], None]
    """Builds into a folder, writes a log."""


def _build_kafka(folder: Path, log: Path) -> None:
    artifacts = (
        ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
        ("org.apache.kafka", "kafka-tools", KAFKA_VERSION),
        ("org.slf4j", "slf4j-simple", "1.7.36"),
    )
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version></dependency>"
        for group, artifact, version in artifacts
    )
    pom = folder / "pom.xml"
    pom.write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>gov.miamidade.direct311</groupId><artifactId>kafka</artifactId>"
        f"<version>{KAFKA_VERSION}</version><packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )
    libraries = f"-DoutputDirectory={folder / 'libs'}"
    copy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
    _run(["mvn", "-B", "-q", "-f", pom, copy, libraries, "-DincludeScope=runtime"], log=log)


def _build_store(folder: Path, log: Path) -> None:
    _run(
        ["go", "install", f"github.com/versity/versitygw/cmd/versitygw@v{STORE_VERSION}"],
        env={**os.environ, "GOBIN": str(folder / "bin")},
        log=log,
    )


def _build_database(folder: Path, log: Path) -> None:
    # It requires a newer compiler than it needs.
    crate = ["secantus-mdb", "--version", DATABASE_VERSION, "--locked", "--ignore-rust-version"]
    _run(["cargo", "install", *crate, "--root", folder, "--target-dir", folder / "target"], log=log)
    shutil.rmtree(folder / "target")


SERVERS = (
    Server("kafka", "10 s", (MAVEN,), kafka_libraries, _build_kafka),
    Server("store", "1 min", (GO,), store_program, _build_store),
    Server("database", "4 min", (RUST, COMPILER, CMAKE), database_program, _build_database),
)


def _build(servers: list[Server]) -> None:
    """Builds what is missing, in parallel; waits for another clone that is building."""
    with exclusive("servers"):
        servers = [server for server in servers if not server.product().exists()]
        with ThreadPoolExecutor(len(SERVERS)) as pool:
            for done in [pool.submit(_build_one, server) for server in servers]:
                done.result()


def _build_one(server: Server) -> None:
    target = cache() / server.product().relative_to(cache()).parts[0]
    log = cache() / f"{target.name}.build.log"
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=cache()))
    say(f"{server.name}: building {target.name} (usually {server.usual}; {log} has the details)")
    started = time.monotonic()
    finished = threading.Event()
    reporter = threading.Thread(target=_report, args=(server, started, finished), daemon=True)
    reporter.start()
    try:
        log.unlink(missing_ok=True)
        server.build(folder, log)
        folder.chmod(0o755)
        folder.rename(target)
    finally:
        finished.set()
        shutil.rmtree(folder, ignore_errors=True)
    say(f"{server.name}: built in {time.monotonic() - started:.0f} s")


def _report(server: Server, started: float, finished: threading.Event) -> None:
    while not finished.wait(30):
        say(f"{server.name}: {time.monotonic() - started:.0f} s of usually {server.usual}")


@contextlib.contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Makes others that want to install the same thing wait."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: Command, env: dict[str, str] | None = None, log: Path | None = None) -> None:
    """Runs a command to its end. Raises SetupError with the end of its output when it fails."""
    words = [str(word) for word in command]
    with log.open("w+") if log else tempfile.TemporaryFile("w+") as output:
        code = subprocess.run(
            words, env=env, stdout=output, stderr=subprocess.STDOUT, check=False
        ).returncode
        output.seek(0)
        tail = output.read().splitlines()[-25:]
    if code != 0:
        raise SetupError("\n".join([f"`{' '.join(words[:6])} …` failed ({code}):", *tail]))
