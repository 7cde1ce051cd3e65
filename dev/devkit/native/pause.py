"""The pause image, from its C source: one static binary, written as an image archive without any builder."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from devkit import artefacts, steps
from devkit.native import layout

SOURCE = Path(__file__).with_name("pause.c")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def archive() -> Path:
    """Path of the image as a docker-archive; built if it isn't in the cache."""
    key = artefacts.key_of(layout.PAUSE_IMAGE, SOURCE.read_bytes(), Path(__file__).read_bytes())
    return artefacts.artefact("pause", key, _build) / "pause.tar"


def _build(part: Path) -> None:
    log = artefacts.log_path("pause")
    binary = part / "pause"
    steps.run(["gcc", "-Os", "-static", "-s", "-Wall", "-o", binary, SOURCE], log=log)
    layer = _tar({"pause": binary.read_bytes()}, mode=0o755)
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    text = json.dumps(config).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [layout.PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    files = {"manifest.json": json.dumps(manifest).encode(), name: text, "layer.tar": layer}
    (part / "pause.tar").write_bytes(_tar(files, mode=0o644))


def _tar(files: dict[str, bytes], *, mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive_file:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive_file.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
