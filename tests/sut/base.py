"""What the examples' SUTs are made of: for each kind a folder with its packages, its entry program and its pods."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPO: Final = Path(__file__).resolve().parents[2]
EXAMPLES: Final = REPO / "deploy" / "examples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """One kind of SUT."""

    name: str
    """Of its Deployment, its Service and its main container; the entry program starts that by this name too."""
    folder: Path
    suite: str
    """The Debian that has its packages."""
    files: tuple[str, ...]
    """Of the examples, as its image has them; the first is the entry program."""
    relayed: bool = False
    """rtpengine beside it carries the media, unless the feature DIRECT_MEDIA says no."""

    @property
    def packages(self) -> list[str]:
        """Debian packages, as its image has them."""
        return (self.folder / "packages").read_text().split()

    def parts(self, features: Sequence[str], phone: str | None) -> list[str]:
        """What the entry program is to start."""
        relay = ["rtpengine"] if self.relayed and "DIRECT_MEDIA" not in features else []
        return [self.name, *relay, *(["phone"] if phone else [])]


KAMAILIO: Final = Base(
    name="kamailio",
    folder=EXAMPLES / "sut",
    suite="trixie",
    files=("sut/sut.py", "sut/kamailio.cfg", "sut/phone.py"),
    relayed=True,
)
ASTERISK: Final = Base(
    name="asterisk",
    folder=EXAMPLES / "asterisk",
    suite="sid",
    files=("asterisk/pbx.py", "asterisk/extensions.conf", "asterisk/modules.conf", "sut/sut.py"),
)
BASES: Final = (KAMAILIO, ASTERISK)
