"""What confluent-kafka sees of a broker. Usage: confluent.py CASE BROKERS; prints what it found as JSON."""

import json
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

WAIT_S = 30
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def produce(brokers, topic, records, **settings):
    """Sends (key, value, headers, timestamp) to partition 0; the offsets that were acknowledged."""
    offsets = []

    def delivered(error, message):
        if error is not None:
            raise RuntimeError(str(error))
        offsets.append(message.offset())

    producer = Producer({"bootstrap.servers": brokers, **settings})
    for key, value, headers, timestamp in records:
        producer.produce(
            topic, partition=0, key=key, value=value, headers=headers, timestamp=timestamp, on_delivery=delivered
        )
    if producer.flush(WAIT_S) != 0:
        raise RuntimeError("some records were not acknowledged")
    return offsets


def consumer_of(brokers, group):
    return Consumer({"bootstrap.servers": brokers, "group.id": group, "enable.auto.commit": False})


def read(consumer, count):
    found = []
    while len(found) < count:
        message = consumer.poll(WAIT_S)
        if message is None:
            raise RuntimeError(f"only {len(found)} of {count} records came")
        if message.error() is not None:
            raise RuntimeError(str(message.error()))
        found.append(message)
    return found


def text(value):
    return None if value is None else value.decode()


def topics(brokers):
    """Created, listed, described and deleted."""
    admin = AdminClient({"bootstrap.servers": brokers})
    created = {
        name: future.result(WAIT_S)
        for name, future in admin.create_topics([NewTopic("confluent-topics", 3, 1)]).items()
    }
    listed = admin.list_topics(timeout=WAIT_S)
    one = admin.list_topics("confluent-topics", timeout=WAIT_S)
    described = admin.describe_topics(TopicCollection(["confluent-topics"]))["confluent-topics"].result(WAIT_S)
    for future in admin.delete_topics(["confluent-topics"]).values():
        future.result(WAIT_S)
    after = admin.list_topics(timeout=WAIT_S)
    return {
        "created": created,
        "listed": sorted(listed.topics["confluent-topics"].partitions),
        "brokers": len(listed.brokers),
        "one": list(one.topics),
        "described": [(partition.id, partition.leader.id) for partition in described.partitions],
        "after": "confluent-topics" in after.topics,
    }


def codecs(brokers):
    """Records of each codec, read back by an assigned consumer."""
    found = {}
    for codec in CODECS:
        topic = f"confluent-{codec}"
        records = [
            (f"key-{index}", f"value {index} ä" * 5, [("trace", str(index))], 1_700_000_000_000 + index)
            for index in range(200)
        ]
        offsets = produce(brokers, topic, records, **{"compression.type": codec, "linger.ms": 50})
        consumer = consumer_of(brokers, "confluent-codecs")
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        came = [
            (text(message.key()), text(message.value()), [(n, text(v)) for n, v in message.headers()], message.timestamp()[1])
            for message in read(consumer, len(records))
        ]
        consumer.close()
        found[codec] = {"offsets": offsets == list(range(200)), "same": came == records}
    return found


def places(brokers):
    """Bounds, offsets for times, and what a group committed."""
    topic = "confluent-places"
    produce(brokers, topic, [(None, f"{index}", [], 1000 * (index + 1)) for index in range(3)], acks="all")
    consumer = consumer_of(brokers, "confluent-places")
    times = [1, 1500, 3000, 3001]
    found = [
        consumer.offsets_for_times([TopicPartition(topic, 0, time)], timeout=WAIT_S)[0].offset for time in times
    ]
    consumer.assign([TopicPartition(topic, 0, found[1])])
    first = read(consumer, 1)[0]
    consumer.commit(first, asynchronous=False)
    committed = consumer.committed([TopicPartition(topic, 0)], timeout=WAIT_S)[0].offset
    bounds = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=WAIT_S)
    consumer.close()
    return {"times": found, "first": text(first.value()), "committed": committed, "bounds": bounds}


def idempotent(brokers):
    """Every record once, in order."""
    records = [(None, str(index), [], 0) for index in range(1000)]
    offsets = produce(brokers, "confluent-idempotent", records, **{"enable.idempotence": True})
    consumer = consumer_of(brokers, "confluent-idempotent")
    consumer.assign([TopicPartition("confluent-idempotent", 0, OFFSET_BEGINNING)])
    values = [int(message.value()) for message in read(consumer, len(records))]
    bounds = consumer.get_watermark_offsets(TopicPartition("confluent-idempotent", 0), timeout=WAIT_S)
    consumer.close()
    return {"offsets": offsets == values == list(range(1000)), "bounds": bounds}


if __name__ == "__main__":
    _, case, brokers = sys.argv
    json.dump({"topics": topics, "codecs": codecs, "places": places, "idempotent": idempotent}[case](brokers), sys.stdout)
