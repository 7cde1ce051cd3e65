"""A test's runs as the store has them, and a run's status as the API server takes it."""

from controller.api.run import CallTestRunStatus
from controller.kube.cluster import RUNS, Cluster, ClusterError, Raw
from controller.kube.store import Store
from controller.run import status as statuses
from controller.run.runs import RunSeen


def runs_of(store: Store, namespace: str, test: str, *, owner_uid: str) -> list[RunSeen]:
    """The runs of a test that can be read; `owner_uid`: of the CallTest, to tell its own from others."""
    return [
        RunSeen(run=kept.run, created=kept.created, is_ours=owner_uid in kept.owners)
        for kept in store.runs_of(namespace, test)
        if kept.run is not None and not kept.is_going  # what cannot be read is said by its own reconcile
    ]


def write_status(cluster: Cluster, raw: Raw, status: CallTestRunStatus) -> Raw:
    """Writes it; a shorter one where the API server would refuse the same one again, for ever."""
    try:
        return cluster.replace_status(RUNS, raw | {"status": statuses.as_dict(status)})
    except ClusterError as error:
        if not error.final:
            raise
        return _write_shorter(cluster, raw, status, error)


def _write_shorter(cluster: Cluster, raw: Raw, status: CallTestRunStatus, refusal: ClusterError) -> Raw:
    for shorter in statuses.shorter(status, str(refusal)):
        try:
            return cluster.replace_status(RUNS, raw | {"status": statuses.as_dict(shorter)})
        except ClusterError as error:
            if not error.final:
                raise
    raise refusal
