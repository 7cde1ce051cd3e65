"""The pages for people, the shell commands in them, and where each of these is run by a test.

A block of commands is a fenced one of `sh`. It is run as it stands, or it is excused here, with the reason.
"""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PAGES: Final = tuple(
    str(path.relative_to(ROOT))
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *sorted((ROOT / "docs").glob("*.md")),
        ROOT / "deploy" / "examples" / "README.md",
    )
)
BLOCK: Final = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

PARROT: Final = "dev/uv run --no-sync calltest-agent parrot"
FIRST_TEST: Final = (
    "kubectl() { dev/cluster kubectl",
    "kubectl create namespace my-sip",
    "kubectl -n my-calltest create",
)
EXAMPLE: Final = "kubectl apply -k deploy/examples/basic"
LOOKING: Final = "kubectl -n my-calltest get calltests"
AWAY: Final = "kubectl delete namespace my-calltest my-sip"
INSTALL: Final = "kubectl apply -k deploy\n"
IMAGES: Final = "dev/images build"

ON_THIS_MACHINE: Final = (PARROT,)
"""By tests/component/test_documents.py. A block is known by how it begins."""
ON_THE_CLUSTER: Final = (*FIRST_TEST, EXAMPLE, LOOKING, AWAY, INSTALL, IMAGES)
"""By tests/e2e/test_documents.py."""
EXCUSED: Final = {
    "calltest report ./evidence": "it reads what the reader's runs left; test_report_page.py has runs of its own",
    "kubectl get calltestrun -o jsonpath": "test_examples.py finds the same files by their runs' names",
}


def blocks(page: str, language: str = "sh", root: Path = ROOT) -> list[str]:
    """The texts of a page's fenced blocks of a language, in order."""
    text = (root / page).read_text()
    return [match["text"] for match in BLOCK.finditer(text) if match["language"] == language]


def block(page: str, beginning: str, root: Path = ROOT) -> str:
    """The one that begins so."""
    (found,) = (text for text in blocks(page, root=root) if text.startswith(beginning))
    return found
