"""Transactions that a broker has declared finished without finishing them.

A broker that is killed while it marks the partitions of a transaction goes on with that when it is back.  Kafka 4.3 takes a partition that
has no leader at that moment for deleted and leaves it out: with one replica, so with one broker, that is every partition for a while.  The
transaction then counts as complete and stays open in its partitions for ever: read_committed readers see nothing of what comes behind it.
(The cure by hand is ``kafka-transactions.sh abort``, KIP-664, which does not know which way it was decided.)

Here the way is known, as long as nobody has asked the coordinator for a new epoch: this is looked into before a share's producer is opened.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import structlog
from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.admin import TransactionState  # type: ignore[import-untyped]
from kafka.errors import RetriableError, TransactionalIdNotFoundError  # type: ignore[import-untyped]

from tumen.bus_kafka.clients import Clients, KafkaError
from tumen.errors import Unavailable

log = structlog.get_logger(__name__)

_LOOK_AGAIN_SECONDS = 0.1
_BEING_FINISHED = (TransactionState.PREPARE_COMMIT, TransactionState.PREPARE_ABORT, TransactionState.PREPARE_EPOCH_FENCE)


class Forgotten(NamedTuple):
    """Where a transaction is still open, with the fields that `KafkaAdminClient.abort_transaction` asks for, and which way it ends."""

    topic_partition: Any
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int
    commit: bool


class Decider(KafkaAdminClient):  # type: ignore[misc]
    """An admin client whose `abort_transaction` can commit as well: the request is the same, with one bit."""

    @staticmethod
    def _abort_transaction_request(spec: Forgotten) -> Any:
        request = KafkaAdminClient._abort_transaction_request(spec)
        request.markers[0].transaction_result = spec.commit
        return request


def find(admin: Any, transactional_id: str, points: Sequence[Any], state: Any, seconds: float) -> list[Forgotten]:
    """What a share's last transaction has left open in `points`.  `state`: the share's state partition.

    Looks at the partitions, at the coordinator, and at the partitions again: what was open in both and complete in between is forgotten,
    for the coordinator marks first and completes then.  Raises `TimeoutError` if the coordinator is not done within `seconds`, and what
    kafka raises.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            before = _open(admin, points)
            known = admin.describe_transactions([transactional_id])[transactional_id]
            if known.state not in _BEING_FINISHED:
                break
        except TransactionalIdNotFoundError:
            return []
        except RetriableError:  # the coordinator is being found, or loads
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise TimeoutError(f"the coordinator does not finish the transaction of {transactional_id}")
        time.sleep(_LOOK_AGAIN_SECONDS)
    mine = {tp: found.current_transaction_start_offset for (tp, producer_id), found in before.items() if producer_id == known.producer_id}
    if known.state is TransactionState.ONGOING or not mine:
        return []
    hanging = {
        tp: found
        for (tp, producer_id), found in _open(admin, points).items()
        if producer_id == known.producer_id and mine.get(tp) == found.current_transaction_start_offset
    }
    if known.state is TransactionState.COMPLETE_COMMIT:
        commit = True
    elif known.state is TransactionState.COMPLETE_ABORT:
        commit = False
    else:  # nobody knows any more: what may be done twice is better than what may be lost
        commit = state not in hanging
    order = sorted(hanging.items(), key=lambda pair: ((pair[0] == state) != commit, pair[0]))  # cut off, it is taken up the same way
    return [
        # -1: no transaction of this producer has ever been marked there, so any coordinator's word is newer (as in kafka-transactions.sh)
        Forgotten(tp, known.producer_id, found.producer_epoch, max(0, found.coordinator_epoch), commit)
        for tp, found in order
    ]


def _open(admin: Any, points: Sequence[Any]) -> dict[tuple[Any, int], Any]:
    """(partition, producer id) -> the `ProducerState` of whoever has a transaction open there."""
    return {
        (tp, producer.producer_id): producer
        for tp, found in admin.describe_producers(list(points)).items()
        for producer in found.active_producers
        if producer.current_transaction_start_offset >= 0
    }


def finish(clients: Clients, forgotten: Sequence[Forgotten]) -> None:
    """End them the way they were decided.  Raises `Unavailable` where the brokers do not let this user do that."""
    if not forgotten:
        return
    admin = clients.admin(Decider)
    try:
        for spec in forgotten:
            admin.abort_transaction(spec)
            log.warning(
                "forgotten_transaction_finished",
                topic=spec.topic_partition.topic,
                partition=spec.topic_partition.partition,
                committed=spec.commit,
            )
    except KafkaError as error:
        if "Authorization" not in type(error).__name__:
            raise
        where = ", ".join(f"{spec.topic_partition.topic}-{spec.topic_partition.partition}" for spec in forgotten)
        way = "committed" if forgotten[0].commit else "aborted"
        raise Unavailable(
            f"Kafka: a broker has left a transaction open in {where} that was {way}; ending it needs ALTER on the cluster, "
            "which this user has not: grant it, or end it with kafka-transactions.sh"
        ) from error
    finally:
        admin.close()


__all__ = ["Decider", "Forgotten", "find", "finish"]
