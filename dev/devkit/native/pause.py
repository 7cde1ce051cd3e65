"""The pause image, from its C source: one static binary."""

import tarfile
from pathlib import Path

from devkit import archives, artefacts, steps
from devkit.native import layout

SOURCE = Path(__file__).with_name("pause.c")


def archive() -> Path:
    """Path of the image's archive; built if it isn't in the cache."""
    key = artefacts.key_of(layout.PAUSE_IMAGE, SOURCE.read_bytes(), Path(__file__).read_bytes())
    return artefacts.artefact("pause", key, _build) / "pause.tar"


def _build(part: Path) -> None:
    log = artefacts.log_path("pause")
    binary, layer = part / "pause", part / "layer.tar"
    steps.run(["gcc", "-Os", "-static", "-s", "-Wall", "-o", binary, SOURCE], log=log)
    with tarfile.open(layer, mode="w") as tar:
        tar.add(binary, arcname="pause")
    config = {"Entrypoint": ["/pause"], "User": "65535:65535"}
    archives.write(part / "pause.tar", name=layout.PAUSE_IMAGE, layer=layer, config=config)
    layer.unlink()
