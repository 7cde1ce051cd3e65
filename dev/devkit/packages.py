"""Which Debian packages this machine lacks."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

from devkit import builders, gotools
from devkit.native.components import CNI_FOLDERS

SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name, path=SEARCHED) is not None


# package → whether what it is wanted for is there already
WANTED: dict[str, Callable[[], bool]] = {
    "ca-certificates": builders.SYSTEM_CA_BUNDLE.is_file,
    "containerd": _program("ctr"),
    "runc": _program("runc"),
    "containernetworking-plugins": lambda: any((folder / "bridge").exists() for folder in CNI_FOLDERS),
    "iptables": _program("iptables"),
    "iproute2": _program("ip"),
    "procps": _program("sysctl"),
    "util-linux": _program("nsenter"),
    "openssl": _program("openssl"),
    "debootstrap": _program("debootstrap"),
    "buildah": builders.works_somehow,
    "gcc": _program("gcc"),
    "libc6-dev": lambda: any(Path("/usr/lib").glob("*/libc.a")),
    "git": _program("git"),
    # A browser looks at the page of `calltest report`: 360 MB unpacked, 20 to 30 s to install.
    "chromium": _program("chromium"),
    "chromium-driver": _program("chromedriver"),
    "tshark": _program("tshark"),  # what calltest trace says is held against it
    "sip-tester": Path("/usr/share/sip-tester").is_dir,  # captures that nobody here made
    "tcpdump": _program("tcpdump"),  # what the tap sees is held against it
    "python3-venv": lambda: importlib.util.find_spec("ensurepip") is not None,
    "python3-pip": lambda: gotools.machine_go() is not None or importlib.util.find_spec("pip") is not None,
}


def missing() -> list[str]:
    """Names of the packages to be installed."""
    return [package for package, is_there in WANTED.items() if not is_there()]
