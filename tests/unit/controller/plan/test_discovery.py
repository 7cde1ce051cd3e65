"""Which addresses of a target are called, what is behind them, and why others are not."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from agent.contract.address import IpFamily
from agent.contract.plan import Transport
from agent.contract.verdict import Reason
from controller.api.run import MAX_ENDPOINTS
from controller.api.target import AddressTarget, PodSelector, ServiceTarget, Target, Via
from controller.kube.projection import kept_pod, kept_service, kept_slice
from controller.plan.discovery import Snapshot, Why, changes, discover, not_permitted
from tests.unit.controller.objects import Object, changed

SERVICE: Object = {
    "metadata": {"name": "kamailio", "namespace": "voice"},
    "spec": {
        "clusterIP": "10.96.0.7",
        "clusterIPs": ["fd00::7", "10.96.0.7"],
        "selector": {"app": "kamailio"},
        "ports": [
            {"name": "sip-tcp", "port": 5060, "protocol": "TCP"},
            {"name": "sip", "port": 5060, "protocol": "UDP", "targetPort": 5062},
        ],
    },
}
UNREADY: Object = {"type": "Ready", "status": "False"}
BY_SERVICE = Target(service=ServiceTarget(name="kamailio"), port="sip")
BY_LABEL = Target(pod_selector=PodSelector(match_labels={"app": "kamailio"}), port="sip")
BY_ADDRESS = Target(address=AddressTarget(host="sbc.example.com"), port=5060)


def pod(number: int, changes: dict[str, Any] | None = None) -> Object:
    base: Object = {
        "metadata": {
            "name": f"kamailio-{number}",
            "namespace": "voice",
            "uid": f"uid-{number}",
            "labels": {"app": "kamailio", "topology.kubernetes.io/zone": "zone-b"},
        },
        "spec": {
            "nodeName": f"node{number}",
            "containers": [
                {"name": "rtpengine"},
                {"name": "kamailio", "ports": [{"name": "sip", "containerPort": 5062, "protocol": "UDP"}]},
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": f"10.244.0.{number}",
            "podIPs": [{"ip": f"10.244.0.{number}"}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {"name": "rtpengine", "imageID": "r@sha256:aa", "restartCount": 1},
                {"name": "kamailio", "imageID": "k@sha256:bb", "restartCount": 2},
                {"name": "twin", "imageID": "k@sha256:bb", "restartCount": 0},
                {"name": "starting", "imageID": ""},
            ],
        },
    }
    return changed(base, changes or {})


def entry(number: int, changes: dict[str, Any] | None = None) -> Object:
    base: Object = {
        "addresses": [f"10.244.0.{number}", f"10.244.9.{number}"],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "targetRef": {"kind": "Pod", "name": f"kamailio-{number}", "namespace": "voice"},
        "nodeName": f"node{number}",
        "zone": "zone-a",
    }
    return changed(base, changes or {})


def a_slice(*entries: Object, **changes: Any) -> Object:
    base: Object = {
        "metadata": {
            "name": "s",
            "namespace": "voice",
            "labels": {"kubernetes.io/service-name": "kamailio"},
        },
        "addressType": "IPv4",
        "ports": [
            {"name": "sip-tcp", "port": 5062, "protocol": "TCP"},
            {"name": "sip", "port": 5062, "protocol": "UDP"},
        ],
        "endpoints": list(entries),
    }
    return changed(base, changes)


def snapshot(
    *slices: Object, pods: tuple[Object, ...] = (pod(5), pod(6)), services=(SERVICE,), **more: Any
) -> Snapshot:
    """As the operator's store keeps it: what discovery reads must be in there."""
    kept = {"services": (kept_service, services), "endpoint_slices": (kept_slice, slices), "pods": (kept_pod, pods)}
    told = {kind: tuple(msgspec.json.decode(keep(each)) for each in objects) for kind, (keep, objects) in kept.items()}
    return Snapshot(namespace="voice", **told, **more)


def addresses(found) -> list[str]:
    return [endpoint.address for endpoint in found.endpoints]


def why(found) -> dict[str, str]:
    return {item.name: item.reason for item in found.left_out}


@pytest.mark.covers("target.service.name")
def test_an_endpoint_knows_what_is_behind_it():
    found = discover(BY_SERVICE, snapshot(a_slice(entry(5))))
    assert found.problem is None
    (endpoint,) = found.endpoints
    assert (endpoint.index, endpoint.address, endpoint.name) == (0, "10.244.0.5:5062", "kamailio-5")
    assert (endpoint.pod, endpoint.pod_uid, endpoint.node, endpoint.zone) == (
        "kamailio-5",
        "uid-5",
        "node5",
        "zone-a",
    )
    assert endpoint.image_ids == ("r@sha256:aa", "k@sha256:bb")
    assert endpoint.restarts == 3


@pytest.mark.covers("target.port")
def test_the_port_can_be_given_by_the_services_number():
    target = Target(service=ServiceTarget(name="kamailio"), port=5060)
    assert addresses(discover(target, snapshot(a_slice(entry(5))))) == ["10.244.0.5:5062"]


def test_an_unnamed_port_is_found_by_number():
    service = changed(SERVICE, {"spec.ports": [{"port": 5060, "protocol": "UDP"}]})
    found = discover(
        Target(service=ServiceTarget(name="kamailio"), port=5060),
        snapshot(a_slice(entry(5), ports=[{"name": "", "port": 5099, "protocol": "UDP"}]), services=(service,)),
    )
    assert addresses(found) == ["10.244.0.5:5099"]


def test_absent_conditions_mean_ready_and_not_terminating():
    assert addresses(discover(BY_SERVICE, snapshot(a_slice(entry(5, {"conditions": {}}))))) == ["10.244.0.5:5062"]
    assert addresses(discover(BY_SERVICE, snapshot(a_slice(entry(5, {"conditions": None}))))) == ["10.244.0.5:5062"]


@pytest.mark.parametrize(
    ("entry_changes", "pod_changes", "name", "reason"),
    [
        ({"conditions.ready": False}, {}, "kamailio-5", Why.NOT_READY),
        # publishNotReadyAddresses: the slice says ready of every pod, and serving of how it is.
        ({"conditions.serving": False}, {}, "kamailio-5", Why.NOT_READY),
        (
            {"conditions": {}},
            {"status.conditions": [{"type": "Ready", "status": "False"}]},
            "kamailio-5",
            Why.NOT_READY,
        ),
        ({}, {"status.conditions": None}, "kamailio-5", Why.NOT_READY),
        ({"conditions.terminating": True}, {}, "kamailio-5", Why.TERMINATING),
        ({}, {"metadata.deletionTimestamp": "2026-01-31T12:00:00Z"}, "kamailio-5", Why.TERMINATING),
        ({"targetRef": None}, {}, "10.244.0.5", Why.NO_POD),
        ({"targetRef.kind": "Node"}, {}, "10.244.0.5", Why.NO_POD),
        ({"targetRef.name": "gone"}, {}, "10.244.0.5", Why.NO_POD),
        # A slice that claims a pod for an address that is not the pod's.
        ({"addresses": ["192.0.2.1"]}, {}, "192.0.2.1", Why.NO_POD),
        ({}, {"status.podIPs": None, "status.podIP": "10.244.0.99"}, "10.244.0.5", Why.NO_POD),
        ({"addresses": ["fd00::5"], "targetRef": None}, {}, "fd00::5", Why.NOT_IPV4),
    ],
)
def test_what_is_left_out_says_why(entry_changes, pod_changes, name, reason):
    found = discover(
        BY_SERVICE, snapshot(a_slice(entry(5, entry_changes), entry(6)), pods=(pod(5, pod_changes), pod(6)))
    )
    assert addresses(found) == ["10.244.0.6:5062"]
    assert why(found) == {name: reason}
    assert found.left_out[0].message


def test_a_slice_without_the_port_has_no_endpoint():
    found = discover(BY_SERVICE, snapshot(a_slice(entry(5), ports=[]), a_slice(entry(6), ports=None)))
    assert why(found) == {"kamailio-5": Why.NO_PORT, "kamailio-6": Why.NO_PORT}
    assert found.problem.reason is Reason.NO_ENDPOINTS
    assert "2 left out, first kamailio-5: NoPort" in found.problem.message


def test_an_address_without_a_pod_is_called_where_the_operator_permits_it():
    found = discover(BY_SERVICE, snapshot(a_slice(entry(5, {"targetRef": None}))), ["10.244.0.0/24", "fd00::/8"])
    (endpoint,) = found.endpoints
    assert (endpoint.name, endpoint.pod, endpoint.image_ids) == ("10.244.0.5:5062", UNSET, UNSET)


def test_an_endpoint_in_several_slices_is_one():
    dual = pod(5, {"status.podIPs": [{"ip": "10.244.0.5"}, {"ip": "fd00::5"}]})
    ipv6 = a_slice(entry(5, {"addresses": ["fd00::5"]}), addressType="IPv6")
    unready = a_slice(entry(5, {"conditions.ready": False}))
    found = discover(BY_SERVICE, snapshot(a_slice(entry(6), entry(5)), unready, ipv6, pods=(dual, pod(6))))
    assert addresses(found) == ["10.244.0.5:5062", "10.244.0.6:5062"]
    assert not found.left_out


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_order_and_repetition_of_slices_do_not_matter(data):
    entries = [entry(number) for number in range(1, 9)]
    expected = discover(BY_SERVICE, snapshot(a_slice(*entries), pods=tuple(pod(number) for number in range(1, 9))))
    assert len(expected.endpoints) == 8
    shuffled = data.draw(st.permutations(entries))
    extra = data.draw(st.lists(st.sampled_from(entries)))
    cut = data.draw(st.integers(0, 8))
    pods = tuple(data.draw(st.permutations([pod(number) for number in range(1, 9)])))
    slices = data.draw(st.permutations([a_slice(*shuffled[:cut]), a_slice(*shuffled[cut:]), a_slice(*extra)]))
    assert discover(BY_SERVICE, snapshot(*slices, pods=pods)) == expected


V6 = {"ip_family": IpFamily.IPV6}


def test_a_test_of_ipv6_calls_the_other_addresses_of_the_same_replicas():
    dual = pod(5, {"status.podIPs": [{"ip": "10.244.0.5"}, {"ip": "fd00::5"}]})
    ipv6 = a_slice(entry(5, {"addresses": ["fd00::5"]}), addressType="IPv6")
    seen = snapshot(a_slice(entry(5), entry(6)), ipv6, pods=(dual, pod(6)))
    found = discover(replace(BY_SERVICE, **V6), seen)
    assert addresses(found) == ["[fd00::5]:5062"]
    assert why(found) == {"kamailio-6": Why.NOT_IPV6}
    assert addresses(discover(replace(BY_LABEL, **V6), seen)) == ["[fd00::5]:5062"]


def test_of_a_replica_that_is_not_ready_its_other_address_says_nothing_more():
    unready = pod(5, {"status.podIPs": [{"ip": "10.244.0.5"}, {"ip": "fd00::5"}], "status.conditions": []})
    ipv6 = a_slice(entry(5, {"addresses": ["fd00::5"]}), addressType="IPv6")
    found = discover(BY_SERVICE, snapshot(a_slice(entry(5)), ipv6, pods=(unready,)))
    assert why(found) == {"kamailio-5": Why.NOT_READY}


def test_the_cluster_ip_is_of_the_tests_family():
    dual = changed(SERVICE, {"spec.clusterIPs": ["10.96.0.7", "fd00:96::7"]})
    ipv6 = a_slice(entry(5, {"addresses": ["fd00::5"]}), addressType="IPv6")
    seen = snapshot(ipv6, pods=(pod(5, {"status.podIPs": [{"ip": "fd00::5"}]}),), services=(dual,))
    found = discover(replace(BY_SERVICE, via=Via.SERVICE, **V6), seen)
    assert (addresses(found), found.addresses) == (["[fd00:96::7]:5060"], ("fd00::5",))
    old = changed(SERVICE, {"spec.clusterIPs": ["10.96.0.7"]})
    single = snapshot(ipv6, pods=(pod(5, {"status.podIPs": [{"ip": "fd00::5"}]}),), services=(old,))
    refused = discover(replace(BY_SERVICE, via=Via.SERVICE, **V6), single).problem
    assert refused is not None
    assert "needs an IPv6 ClusterIP" in refused.message


def test_other_services_and_namespaces_are_not_looked_at():
    other = a_slice(entry(5), metadata={"namespace": "voice", "labels": {"kubernetes.io/service-name": "other"}})
    foreign = a_slice(entry(6), metadata={"namespace": "other", "labels": {"kubernetes.io/service-name": "kamailio"}})
    bare = a_slice(entry(6), metadata={"namespace": "voice"})
    found = discover(BY_SERVICE, snapshot(other, foreign, bare))
    assert not found.endpoints
    assert found.problem.message == "0 endpoints are ready, minEndpoints is 1"


def test_a_pod_that_no_slice_has_is_named():
    waiting = pod(6, {"status.podIP": None, "status.podIPs": None, "status.phase": "Pending"})
    done = pod(7, {"status.phase": "Succeeded"})
    found = discover(BY_SERVICE, snapshot(a_slice(entry(5)), pods=(pod(5), waiting, done, pod(8))))
    assert why(found) == {"kamailio-6": Why.NO_ADDRESS}


def test_a_service_without_selector_has_only_its_slices():
    service = changed(SERVICE, {"spec.selector": None})
    found = discover(
        BY_SERVICE, snapshot(a_slice(entry(5)), services=(service,), pods=(pod(5), pod(6, {"status": {}})))
    )
    assert not found.left_out


def test_a_missing_service_is_said():
    found = discover(BY_SERVICE, snapshot(services=()))
    assert found.problem.reason is Reason.NO_ENDPOINTS
    assert "voice/kamailio does not exist" in found.problem.message
    assert not found.problem.is_final


@pytest.mark.parametrize(
    ("port", "words"), [(5099, "no port 5099 for UDP"), ("sip-tcp", "that port is TCP"), ("nope", "no port nope")]
)
def test_a_missing_service_port_is_said(port, words):
    found = discover(Target(service=ServiceTarget(name="kamailio"), port=port), snapshot(a_slice(entry(5))))
    assert words in found.problem.message


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.TLS])
def test_the_ports_of_tcp_are_those_of_tls_too(transport):
    by_name = Target(service=ServiceTarget(name="kamailio"), port="sip-tcp", transport=transport)
    ports = [{"name": "sip-tcp", "port": 5061, "protocol": "TCP"}, {"name": "sip", "port": 5062, "protocol": "UDP"}]
    assert addresses(discover(by_name, snapshot(a_slice(entry(5), ports=ports)))) == ["10.244.0.5:5061"]
    by_label = Target(pod_selector=PodSelector(match_labels={"app": "kamailio"}), port="sip", transport=transport)
    spec = {"containers": [{"ports": [{"name": "sip", "containerPort": 5061, "protocol": "TCP"}]}]}
    assert addresses(discover(by_label, snapshot(pods=(pod(5, {"spec": spec}),)))) == ["10.244.0.5:5061"]
    other = Target(service=ServiceTarget(name="kamailio"), port="sip", transport=transport)
    assert (
        f"no port sip for {transport}: that port is UDP" in discover(other, snapshot(a_slice(entry(5)))).problem.message
    )


# minEndpoints


@pytest.mark.covers("target.minEndpoints")
@pytest.mark.parametrize(("minimum", "reason"), [(2, None), (3, Reason.TOO_FEW_ENDPOINTS)])
def test_too_few_endpoints_are_not_enough(minimum, reason):
    target = Target(service=ServiceTarget(name="kamailio"), port="sip", min_endpoints=minimum)
    found = discover(target, snapshot(a_slice(entry(5), entry(6))))
    assert (found.problem and found.problem.reason) == reason
    assert found.ready == 2


def test_more_endpoints_than_a_status_can_hold_are_refused():
    count = MAX_ENDPOINTS + 1
    entries = [entry(5, {"addresses": [f"10.1.{n // 250}.{n % 250}"], "targetRef": None}) for n in range(count)]
    found = discover(BY_SERVICE, snapshot(a_slice(*entries)), ["10.0.0.0/8"])
    assert found.problem.reason is Reason.LIMIT_EXCEEDED
    assert found.problem.is_final


# via Service


def via_service(minimum: int = 1) -> Target:
    return Target(service=ServiceTarget(name="kamailio"), port="sip", via=Via.SERVICE, min_endpoints=minimum)


def test_what_a_pod_says_of_itself_becomes_one_printable_line():
    """It goes into the run's status, which is only read back without control characters."""
    sick = pod(5, {"status.conditions": [{"type": "Ready", "status": "False", "message": "a\nb\x07" + "c" * 600}]})
    [left_out] = discover(BY_LABEL, snapshot(pods=(sick,))).left_out
    assert left_out.message.startswith("a b\ufffdccc")
    assert len(left_out.message) == 512


@pytest.mark.covers("target.via")
def test_through_a_service_there_is_one_endpoint_and_its_replicas_count():
    found = discover(via_service(2), snapshot(a_slice(entry(5), entry(6))))
    assert addresses(found) == ["10.96.0.7:5060"]
    assert found.addresses == ("10.244.0.5", "10.244.0.6")
    assert found.ready == 2
    assert found.problem is None


def test_through_a_service_without_ready_replicas_nothing_is_called():
    found = discover(via_service(), snapshot(a_slice(entry(5, {"conditions.ready": False}))))
    assert not found.endpoints
    assert found.problem.reason is Reason.NO_ENDPOINTS


@pytest.mark.parametrize(
    "ips",
    [
        {"spec.clusterIP": "None", "spec.clusterIPs": ["None"]},
        {"spec.clusterIP": None, "spec.clusterIPs": None},
        {"spec.clusterIP": "fd00::7", "spec.clusterIPs": ["fd00::7"]},
    ],
)
def test_a_headless_service_cannot_be_called_through(ips):
    found = discover(via_service(), snapshot(a_slice(entry(5)), services=(changed(SERVICE, ips),)))
    assert found.problem.reason is Reason.INVALID_TEST
    assert found.problem.is_final


def test_a_service_that_also_sends_to_an_address_that_is_not_permitted_is_not_called_through():
    """Its ClusterIP would take calls there: whoever may write EndpointSlices could reach any host."""
    elsewhere = entry(9, {"addresses": ["203.0.113.5"], "targetRef": None})
    found = discover(via_service(), snapshot(a_slice(entry(5), elsewhere)))
    assert not found.endpoints
    assert found.problem.reason is Reason.TARGET_NOT_ALLOWED
    assert "203.0.113.5" in found.problem.message

    assert discover(via_service(), snapshot(a_slice(entry(5), elsewhere)), ["203.0.113.0/24"]).problem is None


# Pods by label


@pytest.mark.covers("target.podSelector.matchLabels")
def test_pods_are_found_by_label():
    found = discover(BY_LABEL, snapshot(pods=(pod(6), pod(5), pod(7, {"metadata.labels": {"app": "other"}}))))
    assert addresses(found) == ["10.244.0.5:5062", "10.244.0.6:5062"]
    assert found.endpoints[0].zone == "zone-b"


def test_a_pods_port_can_be_a_number():
    target = Target(pod_selector=PodSelector(match_labels={"app": "kamailio"}), port=5070)
    assert addresses(discover(target, snapshot(pods=(pod(5),)))) == ["10.244.0.5:5070"]


def test_the_port_of_a_sidecar_counts():
    spec = {"initContainers": [{"ports": [{"name": "sip", "containerPort": 5063, "protocol": "UDP"}]}]}
    assert addresses(discover(BY_LABEL, snapshot(pods=(pod(5, {"spec": spec}),)))) == ["10.244.0.5:5063"]


@pytest.mark.parametrize(
    ("pod_changes", "reason"),
    [
        ({"metadata.deletionTimestamp": "2026-01-31T12:00:00Z"}, Why.TERMINATING),
        ({"status": {"phase": "Pending"}}, Why.NO_ADDRESS),
        ({"status": None}, Why.NO_ADDRESS),
        ({"status.podIPs": [{"ip": "fd00::5"}]}, Why.NOT_IPV4),
        ({"status.conditions": []}, Why.NOT_READY),
        ({"status.conditions": [{"type": "Ready", "status": "False", "message": "no\tway"}]}, Why.NOT_READY),
        ({"spec.containers": [{"name": "kamailio"}]}, Why.NO_PORT),
        ({"spec.containers": [{"ports": [{"name": "sip", "containerPort": 5060}]}]}, Why.NO_PORT),
        ({"spec": None}, Why.NO_PORT),
    ],
)
def test_a_pod_that_cannot_be_called_says_why(pod_changes, reason):
    found = discover(BY_LABEL, snapshot(pods=(pod(5, pod_changes), pod(6))))
    assert why(found) == {"kamailio-5": reason}
    assert addresses(found) == ["10.244.0.6:5062"]


def test_an_endpoint_without_uid_and_node_says_nothing_of_them():
    bare = pod(5, {"metadata.uid": None, "spec.nodeName": None, "metadata.labels": {"app": "kamailio"}})
    (endpoint,) = discover(BY_LABEL, snapshot(pods=(bare,))).endpoints
    assert (endpoint.pod_uid, endpoint.node, endpoint.zone) == (UNSET, UNSET, UNSET)


# Addresses


@pytest.mark.covers("target.address.host")
def test_an_address_is_called_where_the_operator_permits_what_it_resolves_to():
    found = discover(BY_ADDRESS, snapshot(resolved=("192.0.2.9", "192.0.2.10", "198.51.100.1")), ["192.0.2.0/24"])
    assert addresses(found) == ["192.0.2.10:5060", "192.0.2.9:5060"]
    assert why(found) == {"198.51.100.1": Why.NO_POD}


def test_an_address_of_ipv6_is_called_where_the_operator_permits_it():
    seen = snapshot(resolved=("192.0.2.9", "2001:db8::1", "2001:db8:1::1"))
    found = discover(replace(BY_ADDRESS, **V6), seen, ["0.0.0.0/0", "2001:db8::/48"])
    assert addresses(found) == ["[2001:db8::1]:5060"]
    assert why(found) == {"192.0.2.9": Why.NOT_IPV6, "2001:db8:1::1": Why.NO_POD}


def test_an_address_that_is_not_permitted_is_refused_at_once():
    found = discover(BY_ADDRESS, snapshot(resolved=("192.0.2.9",)))
    assert found.problem.reason is Reason.TARGET_NOT_ALLOWED
    assert found.problem.is_final
    assert "--allow-target" in found.problem.message


def test_a_name_that_cannot_be_resolved_is_said_and_asked_for_again():
    found = discover(BY_ADDRESS, snapshot(unresolved="Name or service not known"), ["192.0.2.0/24"])
    assert found.problem.reason is Reason.NO_ENDPOINTS
    assert found.problem.message == "cannot resolve sbc.example.com: Name or service not known"
    assert not found.problem.is_final


def test_a_service_whose_addresses_are_not_permitted_may_still_get_pods():
    found = discover(BY_SERVICE, snapshot(a_slice(entry(5, {"targetRef": None}))))
    assert found.problem.reason is Reason.TARGET_NOT_ALLOWED
    assert not found.problem.is_final


def test_ipv6_and_nothing_at_all_are_no_endpoints():
    found = discover(BY_ADDRESS, snapshot(resolved=("2001:db8::1",)), ["192.0.2.0/24"])
    assert why(found) == {"2001:db8::1": Why.NOT_IPV4}
    assert found.problem.reason is Reason.NO_ENDPOINTS


def test_a_target_elsewhere_may_be_permitted_or_not():
    elsewhere = Target(service=ServiceTarget(name="kamailio"), namespace="voice")
    assert not_permitted(elsewhere, "lab", None) is None
    assert not_permitted(elsewhere, "lab", ("voice",)) is None
    assert not_permitted(elsewhere, "voice", ()) is None
    assert not_permitted(BY_SERVICE, "lab", ()) is None
    refused = not_permitted(elsewhere, "lab", ("other",))
    assert (refused.reason, refused.is_final) == (Reason.TARGET_NOT_ALLOWED, True)
    assert refused.message == "target.namespace: voice: the operator's --target-namespace does not list it"


# At the end of the run


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ((pod(5),), {}),
        ((pod(5, {"status.conditions": []}),), {}),
        ((), {0: Reason.ENDPOINT_REMOVED}),
        ((pod(5, {"metadata.uid": "another"}),), {0: Reason.ENDPOINT_REMOVED}),
        ((pod(5, {"metadata.deletionTimestamp": "2026-01-31T12:00:00Z"}),), {0: Reason.ENDPOINT_REMOVED}),
        ((pod(5, {"status.containerStatuses.0.restartCount": 2}),), {0: Reason.ENDPOINT_RESTARTED}),
    ],
)
def test_an_endpoint_that_vanished_or_restarted_is_named(pods, expected):
    before = discover(BY_SERVICE, snapshot(a_slice(entry(5)))).endpoints
    assert changes(before, pods) == expected


def test_an_endpoint_without_a_pod_does_not_change():
    before = discover(via_service(), snapshot(a_slice(entry(5)))).endpoints
    assert changes(before, ()) == {}
