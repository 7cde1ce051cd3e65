"""The base images, Debian's slim ones: from a registry where one answers, else made by debootstrap."""

import functools
import shutil
import subprocess
import tarfile
from pathlib import Path

from devkit import archives, artefacts, steps
from devkit.builders import Builder

SUITE = "trixie"  # of all images but those that say another
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# filled with this machine's mirrors: the image's builds are to get their packages where it gets its own
SOURCES = """Types: deb
URIs: {mirror}
Suites: {suites}
Components: main
Signed-By: {keyring}
"""
SECURITY_SOURCES = """
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


def image(suite: str) -> str:
    """What Dockerfiles call the base image of a Debian suite."""
    return f"docker.io/library/debian:{suite}-slim"


def ensure(builder: Builder, suite: str) -> None:
    """Puts the base image into the builder's store if it isn't there."""
    made_here = any((artefacts.cache_root() / f"base-{suite}").glob("[0-9a-f]*"))
    if builder.has(_own_name(suite)) or (builder.has(image(suite)) and not made_here):
        return
    with steps.step(f"base image {image(suite)}"):
        if not made_here:
            steps.say("  asking a registry for it")
            if builder.pull(image(suite)):
                return
            steps.say("  no registry gave it: making it by debootstrap")
        log = artefacts.log_path(f"base-{suite}-load")
        builder.load(archive(suite), log)
        builder.tag(_own_name(suite), image(suite), log)


def key(suite: str) -> str:
    """Changes when the base image would be made differently."""
    return artefacts.key_of(_sources(suite), artefacts.files_key([Path(__file__), Path(archives.__file__)]))


@functools.cache
def _mirror(name: str) -> str:
    """Where this machine's apt gets that archive from."""
    return steps.output([artefacts.REPO / "dev" / "debian-mirror", name]).strip()


def _sources(suite: str) -> str:
    """Sid has no updates of its own beside it: they go into it."""
    suites = [suite] if suite == "sid" else [suite, f"{suite}-updates"]
    text = SOURCES.format(suites=" ".join(suites), mirror=_mirror("debian"), keyring=KEYRING)
    if suite == "sid":
        return text
    return text + SECURITY_SOURCES.format(suite=suite, keyring=KEYRING, security_mirror=_mirror("debian-security"))


def _own_name(suite: str) -> str:
    return f"localhost/calltest-base-{suite}:{key(suite)}"


def archive(suite: str) -> Path:
    """The base image as a docker-archive; made by debootstrap if it isn't in the cache (about 1 min)."""
    return artefacts.artefact(f"base-{suite}", key(suite), functools.partial(_build, suite)) / "base.tar"


def _build(suite: str, part: Path) -> None:
    log = artefacts.log_path(f"base-{suite}")
    root, layer = part / "root", part / "layer.tar"
    with steps.step(f"debootstrap {suite}"):
        steps.run(["debootstrap", "--variant=minbase", f"--keyring={KEYRING}", suite, root, _mirror("debian")], log=log)
    _slim(root, suite)
    with tarfile.open(layer, mode="w") as tar:
        tar.add(root, arcname=".", filter=_without_device)
    config = {"Cmd": ["bash"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
    archives.write(part / "base.tar", name=_own_name(suite), layer=layer, config=config)
    layer.unlink()
    shutil.rmtree(root)


def _without_device(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """A container runtime makes the devices."""
    return None if entry.isdev() or entry.name.startswith("./dev/") else entry


def _slim(root: Path, suite: str) -> None:
    for name in ("etc/apt/sources.list", "etc/resolv.conf", "etc/hostname"):
        (root / name).unlink(missing_ok=True)
    (root / "etc/apt/sources.list.d/debian.sources").write_text(_sources(suite))
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
