"""docker, podman or buildah, whichever works here, as one small set of verbs."""

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from devkit import steps

CA_BUNDLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SYSTEM_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
PULL_TIMEOUT_S = 180


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """An image builder of this machine; all of them understand the same Dockerfile and docker-archives."""

    name: str
    build_words: tuple[str, ...]

    def has(self, image: str) -> bool:
        """Whether the builder's own store has the image."""
        words = ["inspect", "--type", "image"] if self.name == "buildah" else ["image", "inspect"]
        done = subprocess.run([self.name, *words, image], capture_output=True, check=False)
        return done.returncode == 0

    def pull(self, image: str) -> bool:
        """Whether a registry gave the image."""
        try:
            done = subprocess.run([self.name, "pull", image], capture_output=True, check=False, timeout=PULL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def load(self, archive: Path, log: Path) -> None:
        """Takes an archive into the builder's own store."""
        words = ["pull", f"docker-archive:{archive}"] if self.name == "buildah" else ["load", "--input", str(archive)]
        steps.run([self.name, *words], log=log)

    def tag(self, image: str, name: str, log: Path) -> None:
        """Gives an image one more name."""
        steps.run([self.name, "tag", image, name], log=log)

    def forget(self, image: str) -> None:
        """Removes an image from the builder's store, if it can be."""
        words = ["rmi"] if self.name == "buildah" else ["image", "rm"]
        subprocess.run([self.name, *words, image], capture_output=True, check=False)

    def build(
        self, *, image: str, context: Path, dockerfile: str, target: str, args: Mapping[str, str], log: Path
    ) -> None:
        """Builds one target of a Dockerfile; the machine's CA bundle is there during downloads only."""
        argv: list[str | Path] = [self.name, *self.build_words, "--tag", image, "--file", context / dockerfile]
        argv += ["--target", target] if target else []
        for name, value in args.items():
            argv += ["--build-arg", f"{name}={value}"]
        bundle = ca_bundle()
        argv += ["--secret", f"id=ca,src={bundle}"] if bundle else []
        steps.run([*argv, context], log=log, env=dict(os.environ) | {"DOCKER_BUILDKIT": "1"})

    def save(self, image: str, archive: Path, log: Path) -> None:
        """Writes the image as a docker-archive."""
        words = {
            "buildah": ["push", image, f"docker-archive:{archive}:{image}"],
            "podman": ["save", "--format", "docker-archive", "--output", str(archive), image],
            "docker": ["save", "--output", str(archive), image],
        }
        steps.run([self.name, *words[self.name]], log=log)


def ca_bundle() -> Path | None:
    """The CA bundle that this machine's downloads go by, if it names one."""
    named = [Path(os.environ[name]) for name in CA_BUNDLES if os.environ.get(name)]
    return next((path for path in [*named, SYSTEM_CA_BUNDLE] if path.is_file()), None)


def find() -> Builder:
    """The first builder that works; `CALLTEST_BUILDER` chooses one by name."""
    if name := _first():
        return Builder(name=name, build_words=_build_words(name))
    raise steps.StepError("no working docker, podman or buildah: run dev/setup")


def works_somehow() -> bool:
    """Whether there is a builder that works."""
    return _first() is not None


def _first() -> str | None:
    wanted = os.environ.get("CALLTEST_BUILDER")
    names = [wanted] if wanted else ["docker", "podman", "buildah"]
    return next((name for name in names if shutil.which(name) and _works(name)), None)


def _works(name: str) -> bool:
    if name != "docker":
        return True
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _build_words(name: str) -> tuple[str, ...]:
    """The host's network, since there may be no other way out; runc, since crun refuses hybrid cgroups."""
    if name == "docker":
        return ("build", "--network", "host")
    runtime = ("--runtime", runc) if (runc := shutil.which("runc")) else ()
    if name == "podman":
        return (*runtime, "build", "--pull=never", "--layers", "--network", "host")
    return ("bud", "--pull-never", "--layers", "--isolation", "oci", *runtime, "--network", "host")
