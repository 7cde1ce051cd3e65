"""The project's images: what goes into each, its content-keyed name, and its archive in the cache."""

import contextlib
import dataclasses
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from devkit import artefacts, base, builders, steps

BUILD_VERSION = "1"  # raise it when the way of building changes what comes out
KEPT_PER_IMAGE = 3
UV = artefacts.REPO / "dev" / "uv"
PJSUA2 = artefacts.REPO / "dev" / "pjsua2"
KERNEL = artefacts.REPO / "dev" / "kernel" / "build"
# What one image needs and another does not: the operator hears nothing and reads no captures, agents know no cluster.
PRUNED = {
    "controller": ("numpy", "zstandard", "typer", "rich", "jinja2"),
    "agent": ("kopf", "kubernetes", "cronsim", "typer", "rich", "pyyaml", "jinja2"),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image: where its Dockerfile is in the build context, and the files of the repository it is made from."""

    name: str
    dockerfile: str
    target: str
    sources: tuple[str, ...]
    suite: str = base.SUITE

    @property
    def dev_tag(self) -> str:
        """The name that manifests use during development; it means the image loaded last."""
        return f"docker.io/library/calltest-{self.name}:dev"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image that exists as an archive."""

    image: Image
    reference: str
    archive: Path
    size_bytes: int
    above_base_bytes: int


IMAGES = (
    Image(
        name="controller",
        dockerfile="Dockerfile",
        target="controller",
        sources=("Dockerfile", "controller", "agent/__init__.py", "agent/contract", "agent/judge", "agent/sip"),
    ),
    Image(name="agent", dockerfile="Dockerfile", target="agent", sources=("Dockerfile", "agent")),
    Image(
        name="sut",
        dockerfile="deploy/examples/sut/Dockerfile",
        target="",
        sources=("deploy/examples/sut",),
    ),
    Image(
        name="asterisk",
        dockerfile="deploy/examples/asterisk/Dockerfile",
        target="",
        sources=("deploy/examples/asterisk", "deploy/examples/sut/sut.py"),
        suite="sid",
    ),
)


def build(image: Image) -> Built:
    """The image's archive; built if its inputs have changed."""
    with _context(image) as context:
        key = artefacts.key_of(BUILD_VERSION, image.name, base.key(image.suite), artefacts.files_key([context]))
        reference = f"localhost/calltest-{image.name}:{key}"

        def make(part: Path) -> None:
            _build(image, reference, context, part)

        folder = artefacts.artefact(f"image-{image.name}", key, make)
    _prune(image, folder)
    sizes = json.loads((folder / "sizes.json").read_text())
    return Built(image=image, reference=reference, archive=folder / "image.tar", **sizes)


def _build(image: Image, reference: str, context: Path, part: Path) -> None:
    log = artefacts.log_path(f"image-{image.name}")
    builder = builders.find()
    base.ensure(builder, image.suite)
    with steps.step(f"building image {image.name} with {builder.name} (log {log})"):
        builder.build(
            image=reference,
            context=context,
            dockerfile=image.dockerfile,
            target=image.target,
            args={"BASE": base.image(image.suite)} if image.target else {},
            log=log,
        )
    with steps.step(f"saving image {image.name}"):
        builder.save(reference, part / "image.tar", log)
    layers = _layer_sizes(part / "image.tar")
    sizes = {"size_bytes": sum(layers), "above_base_bytes": sum(layers[1:])}
    (part / "sizes.json").write_text(json.dumps(sizes))


def _layer_sizes(archive: Path) -> list[int]:
    """Uncompressed sizes of the layers, the base image's first."""
    with tarfile.open(archive) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        names = json.load(manifest)[0]["Layers"]
        sizes = {entry.name: _target(tar, entry).size for entry in tar.getmembers()}
    return [sizes[name] for name in names]


def _target(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """What a link in the archive stands for: the same layer may be in it under several names."""
    if not entry.issym():
        return entry
    return tar.getmember(str((Path("/") / Path(entry.name).parent / entry.linkname).resolve().relative_to("/")))


@contextlib.contextmanager
def _context(image: Image) -> Iterator[Path]:
    """A folder with exactly what the image is made from: nothing else can get into it, or change its key."""
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    with tempfile.TemporaryDirectory(prefix="calltest-context-") as name:
        context = Path(name)
        for source in image.sources:
            origin, copy = artefacts.REPO / source, context / source
            copy.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                shutil.copytree(origin, copy, ignore=ignore)
            else:
                shutil.copy(origin, copy)
        if image.target:
            _prepare_dependencies(context, image.target)
        yield context


def _prepare_dependencies(context: Path, target: str) -> None:
    """The locked dependencies with their hashes; for the agent what is compiled and pjsua2's Debian packages too."""
    folder = context / "build"
    folder.mkdir()
    pruned = [word for name in PRUNED[target] for word in ("--prune", name)]
    flags = ["--frozen", "--quiet", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate"]
    locked = steps.output([UV, "export", "--project", artefacts.REPO, *flags, *pruned])
    (folder / f"{target}.txt").write_text(locked)
    if target == "agent":
        log = artefacts.log_path("pjsua2-wheel")
        with steps.step("pjsua2 wheel (built once, about 5 min)"):
            wheel = Path(steps.logged_output([PJSUA2 / "build", "--for", base.SUITE], log=log).split()[-1])
        (folder / "kernel").mkdir()
        steps.run([KERNEL, folder / "kernel"], log=artefacts.log_path("kernel"))
        (folder / "pjsua2").mkdir()
        shutil.copy(wheel, folder / "pjsua2" / wheel.name)
        shutil.copy(PJSUA2 / f"runtime-packages.{base.SUITE}", folder / "agent-packages")


def _prune(image: Image, current: Path) -> None:
    """Drops older contents of an image, archives and the builder's copies: each is hundreds of megabytes."""
    others = [path for path in current.parent.iterdir() if _is_finished(path) and path != current]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[KEPT_PER_IMAGE - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
        builders.find().forget(f"localhost/calltest-{image.name}:{path.name}")


def _is_finished(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".")
