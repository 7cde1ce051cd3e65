"""kopf only watches: three kinds, its own settings, nothing written."""

from controller.kube.labels import AGENT_SELECTOR
from controller.operator import handlers


def test_kopf_needs_no_more_than_the_role_and_writes_nothing() -> None:
    tuned = handlers.settings()
    assert tuned.scanning.disabled
    assert tuned.peering.standalone
    assert not tuned.posting.enabled
    assert tuned.queueing.worker_limit is None, "a limit below the number of objects is a silent deadlock"
    assert tuned.watching.label_selectors["pods"] == AGENT_SELECTOR


def test_only_events_are_handled() -> None:
    registry = handlers.registry(lambda _: None, lambda *_: None)
    watched = [handler.selector for handler in registry._watching.get_all_handlers()]
    assert sorted(str(selector.any_name or selector.plural) for selector in watched if selector) == [
        "calltestruns",
        "calltests",
        "pods",
    ]
    assert not registry._changing.get_all_handlers()
    assert not registry._spawning.get_all_handlers()
