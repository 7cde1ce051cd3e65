"""The base image, Debian's slim one: from a registry where one answers, else made by debootstrap."""

import functools
import shutil
import subprocess
import tarfile
from pathlib import Path

from devkit import archives, artefacts, steps
from devkit.builders import Builder

IMAGE = "docker.io/library/debian:trixie-slim"
SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# filled with this machine's mirrors: the image's builds are to get their packages where it gets its own
SOURCES = """Types: deb
URIs: {mirror}
Suites: {suite} {suite}-updates
Components: main
Signed-By: {keyring}

Types: deb
URIs: {security_mirror}
Suites: {suite}-security
Components: main
Signed-By: {keyring}
"""
# as the slim images of Debian do
NOT_UNPACKED = ("doc/*", "groff/*", "info/*", "linda/*", "lintian/*", "locale/*", "man/*")
DPKG_RULES = "".join(f"path-exclude /usr/share/{each}\n" for each in NOT_UNPACKED) + (
    "path-include /usr/share/doc/*/copyright\n"
)
# services must not be started while an image is built
NO_SERVICES = "#!/bin/sh\nexit 101\n"


def ensure(builder: Builder) -> None:
    """Puts the base image into the builder's store if it isn't there."""
    made_here = any((artefacts.cache_root() / "base").glob("[0-9a-f]*"))
    if builder.has(_own_name()) or (builder.has(IMAGE) and not made_here):
        return
    with steps.step(f"base image {IMAGE}"):
        if not made_here:
            steps.say("  asking a registry for it")
            if builder.pull(IMAGE):
                return
            steps.say("  no registry gave it: making it by debootstrap")
        log = artefacts.log_path("base-load")
        builder.load(archive(), log)
        builder.tag(_own_name(), IMAGE, log)


def key() -> str:
    """Changes when the base image would be made differently."""
    return artefacts.key_of(_sources(), artefacts.files_key([Path(__file__), Path(archives.__file__)]))


@functools.cache
def _mirror(name: str) -> str:
    """Where this machine's apt gets that archive from."""
    return steps.output([artefacts.REPO / "dev" / "debian-mirror", name]).strip()


def _sources() -> str:
    mirrors = {"mirror": _mirror("debian"), "security_mirror": _mirror("debian-security")}
    return SOURCES.format(suite=SUITE, keyring=KEYRING, **mirrors)


def _own_name() -> str:
    return f"localhost/calltest-base:{key()}"


def archive() -> Path:
    """The base image as a docker-archive; made by debootstrap if it isn't in the cache (about 1 min)."""
    return artefacts.artefact("base", key(), _build) / "base.tar"


def _build(part: Path) -> None:
    log = artefacts.log_path("base")
    root, layer = part / "root", part / "layer.tar"
    with steps.step(f"debootstrap {SUITE}"):
        steps.run(["debootstrap", "--variant=minbase", f"--keyring={KEYRING}", SUITE, root, _mirror("debian")], log=log)
    _slim(root)
    with tarfile.open(layer, mode="w") as tar:
        tar.add(root, arcname=".", filter=_without_device)
    config = {"Cmd": ["bash"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
    archives.write(part / "base.tar", name=_own_name(), layer=layer, config=config)
    layer.unlink()
    shutil.rmtree(root)


def _without_device(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """A container runtime makes the devices."""
    return None if entry.isdev() or entry.name.startswith("./dev/") else entry


def _slim(root: Path) -> None:
    for name in ("etc/apt/sources.list", "etc/resolv.conf", "etc/hostname"):
        (root / name).unlink(missing_ok=True)
    (root / "etc/apt/sources.list.d/debian.sources").write_text(_sources())
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(DPKG_RULES)
    (root / "usr/sbin/policy-rc.d").write_text(NO_SERVICES)
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    for folder in (
        "var/lib/apt/lists",
        "var/cache/apt",
        "var/log",
        "usr/share/man",
        "usr/share/info",
        "usr/share/locale",
    ):
        _empty(root / folder)
    for path in (root / "usr/share/doc").rglob("*"):
        if path.is_symlink() or (path.is_file() and path.name != "copyright"):
            path.unlink()
    subprocess.run(["chroot", root, "ldconfig"], check=False, capture_output=True)
    shutil.rmtree(root / "var/cache/ldconfig", ignore_errors=True)


def _empty(folder: Path) -> None:
    for path in folder.iterdir() if folder.is_dir() else []:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
