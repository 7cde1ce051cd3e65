"""concurrencyPolicy: Replace on the cluster: the run under way hangs up and says for whom, then the next one begins."""

from datetime import datetime

from tests.e2e.calltests import call_test, calling, changed, deleted
from tests.e2e.kube import Namespace

LONG = {"count": 1, "holdSeconds": 60}
SHORT = {"name": "pin", "holdSeconds": 4, "answerTimeoutSeconds": 10}


def test_the_next_run_begins_once_the_one_under_way_has_hung_up(voice: Namespace) -> None:
    name = "replaced"
    try:
        voice.apply(call_test(name, call=LONG, concurrencyPolicy="Replace"))
        calling(voice, f"{name}-g1")
        changed(voice, name, calls=[SHORT])
        voice.finished(f"{name}-g2", kind="calltestrun", timeout_s=120)
        first, second = (voice.get("calltestrun", f"{name}-g{number}")["status"] for number in (1, 2))
        assert (first["result"], first["reason"]) == ("Inconclusive", "Aborted"), first
        assert f"{name}-g2" in first["message"], first["message"]
        assert second["result"] == "Passed", second
        ended, began = (datetime.fromisoformat(at) for at in (first["completionTime"], second["startTime"]))
        assert began >= ended
    finally:
        deleted(voice, name)
