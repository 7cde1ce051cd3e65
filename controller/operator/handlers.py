"""What changed in the cluster becomes keys on the queue. The only importer of kopf, which only watches for us.

kopf keeps no state in our objects this way: no annotations, no finalizers, and nothing that a restart could lose.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import kopf

from controller.kube.cluster import RUNS, TESTS, Raw
from controller.kube.labels import AGENT_SELECTOR, RUN_LABEL
from controller.operator.workqueue import Key

Enqueue = Callable[[Key], None]
SawPod = Callable[[str, str, Raw], None]
"""Namespace, run, pod."""
IDENTITY: Final = "calltest-operator"
REQUEST_TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 5.0


def registry(enqueue: Enqueue, saw_pod: SawPod) -> kopf.OperatorRegistry:
    """The watches: tests, runs, and the agents' pods."""
    handlers = kopf.OperatorRegistry()
    # The same credentials as `controller.kube.cluster` uses: a pod's ServiceAccount, else the kubeconfig.
    kopf.on.login(registry=handlers)(kopf.login_via_client)

    @kopf.on.event(TESTS.group, TESTS.version, TESTS.plural, registry=handlers)
    async def test_changed(namespace: str | None, name: str | None, **_: Any) -> None:
        enqueue(Key("CallTest", namespace or "", name or ""))

    @kopf.on.event(RUNS.group, RUNS.version, RUNS.plural, registry=handlers)
    async def run_changed(namespace: str | None, name: str | None, spec: kopf.Spec, **_: Any) -> None:
        enqueue(Key("CallTestRun", namespace or "", name or ""))
        enqueue(Key("CallTest", namespace or "", str(spec.get("callTestName", ""))))

    @kopf.on.event("", "v1", "pods", registry=handlers)
    async def pod_changed(namespace: str | None, labels: kopf.Labels, body: kopf.Body, **_: Any) -> None:
        if run := labels.get(RUN_LABEL):
            saw_pod(namespace or "", run, dict(body))
            enqueue(Key("CallTestRun", namespace or "", run))

    return handlers


def settings() -> kopf.OperatorSettings:
    """Kopf with a namespaced Role, without peering; each value was tried on a real API server."""
    tuned = kopf.OperatorSettings()
    tuned.scanning.disabled = True
    tuned.peering.standalone = True
    tuned.networking.request_timeout = REQUEST_TIMEOUT_S
    tuned.networking.connect_timeout = CONNECT_TIMEOUT_S
    tuned.watching.server_timeout = 240
    tuned.watching.client_timeout = 270
    tuned.watching.connect_timeout = 10
    tuned.watching.reconnect_backoff = 1
    tuned.watching.chunk_size = 500
    # Filtered by the API server. It holds for every watch of that kind, so the SUT's pods are listed, never watched.
    tuned.watching.label_selectors["pods"] = AGENT_SELECTOR
    tuned.posting.enabled = False
    return tuned


async def watch(
    namespaces: tuple[str, ...], handlers: kopf.OperatorRegistry, stop: asyncio.Event, ready: asyncio.Event
) -> None:
    """Watches until `stop`; no namespaces given: all of them."""
    await kopf.operator(
        registry=handlers,
        settings=settings(),
        # Without peering nobody reads it; left out, kopf asks for the user's name, and a container may have none.
        identity=IDENTITY,  # type: ignore[arg-type]  # a NewType that kopf does not export
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
        ready_flag=ready,
    )
