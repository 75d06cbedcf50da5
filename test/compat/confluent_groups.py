"""What confluent-kafka sees of groups and of administration. Usage: confluent_groups.py CASE BROKERS PROTOCOL; prints JSON."""

import json
import sys
import time
import uuid

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    ConsumerGroupState,
    Consumer,
    IsolationLevel,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

WAIT_S = 30


def create(brokers, word, partitions):
    """A topic of its own in each run."""
    topic = f"confluent-{word}-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(WAIT_S)
    return admin, topic


def produce(brokers, topic, count, partitions):
    producer = Producer({"bootstrap.servers": brokers})
    for index in range(count):
        producer.produce(topic, partition=index % partitions, value=str(index))
    if producer.flush(WAIT_S) != 0:
        raise RuntimeError("some records were not acknowledged")


def member(brokers, group, protocol, **settings):
    return Consumer({
        "bootstrap.servers": brokers,
        "group.id": group,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        **settings,
    })


def read(consumers, count):
    """Values that the members read together."""
    found = []
    deadline = time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < deadline:
        for consumer in consumers:
            message = consumer.poll(0.02)
            if message is not None and message.error() is None:
                found.append(int(message.value()))
    return found


def wait_until(is_true, consumers=()):
    deadline = time.monotonic() + WAIT_S
    while not is_true():
        if time.monotonic() > deadline:
            raise RuntimeError("not within the time")
        for consumer in consumers:
            consumer.poll(0.02)


def error_of(future):
    try:
        future.result(WAIT_S)
        return None
    except KafkaException as failure:
        return failure.args[0].name()


def static(brokers, protocol):
    """A static member that leaves and comes back keeps its partitions; the other one is not asked to give up or take any."""
    _, topic = create(brokers, "static", 4)
    moved = []
    settings = {"group.instance.id": "one"}
    first = member(brokers, topic, protocol, **settings)
    other = member(brokers, topic, protocol, **{"group.instance.id": "two"})
    first.subscribe([topic])
    other.subscribe([topic], on_assign=lambda _, parts: moved.append(len(parts)), on_revoke=lambda _, parts: moved.append(-len(parts)))
    wait_until(lambda: len(first.assignment()) == len(other.assignment()) == 2, [first, other])
    before = sorted(each.partition for each in first.assignment())
    moved.clear()
    first.close()
    again = member(brokers, topic, protocol, **settings)
    again.subscribe([topic])
    wait_until(lambda: len(again.assignment()) == 2, [again, other])
    after = sorted(each.partition for each in again.assignment())
    again.close()
    other.close()
    return {"same": before == after, "moved": [count for count in moved if count > 0]}


def places(brokers, protocol):
    """Seeks, pauses and positions of a member; what it committed is where the next one begins."""
    _, topic = create(brokers, "places", 1)
    produce(brokers, topic, 10, 1)
    consumer = member(brokers, topic, protocol)
    consumer.subscribe([topic])
    first = read([consumer], 10)
    place = TopicPartition(topic, 0)
    consumer.seek(TopicPartition(topic, 0, 4))
    sought = read([consumer], 6)
    consumer.pause([place])
    paused = consumer.poll(0.2)
    consumer.resume([place])
    consumer.commit(offsets=[TopicPartition(topic, 0, 7, "a note")], asynchronous=False)
    position = consumer.position([place])[0].offset
    consumer.close()
    following = member(brokers, topic, protocol)
    following.subscribe([topic])
    rest = read([following], 3)
    following.close()
    return {"first": first, "sought": sought, "paused": paused is None, "position": position, "rest": rest}


def groups(brokers, protocol):
    """Listed, described, offsets altered, listed and deleted, and the group deleted."""
    admin, topic = create(brokers, "groups", 2)
    produce(brokers, topic, 10, 2)
    consumer = member(brokers, topic, protocol, **{"client.id": "judge"})
    consumer.subscribe([topic])
    read([consumer], 10)
    consumer.commit(asynchronous=False)
    described = admin.describe_consumer_groups([topic])[topic].result(WAIT_S)
    listed = [each for each in admin.list_consumer_groups().result(WAIT_S).valid if each.group_id == topic]
    busy = error_of(admin.delete_consumer_groups([topic])[topic])
    consumer.close()
    wait_until(lambda: admin.describe_consumer_groups([topic])[topic].result(WAIT_S).state == ConsumerGroupState.EMPTY)
    altered = ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, 0, 2)])
    admin.alter_consumer_group_offsets([altered])[topic].result(WAIT_S)
    offsets = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(topic)])[topic].result(WAIT_S)
    deleted = error_of(admin.delete_consumer_groups([topic])[topic])
    again = error_of(admin.delete_consumer_groups([topic])[topic])
    return {
        "described": [described.state.name, described.type.name.lower() == protocol],
        "members": [[each.client_id, len(each.assignment.topic_partitions)] for each in described.members],
        "listed": [each.state.name for each in listed],
        "busy": busy,
        "offsets": sorted([each.partition, each.offset] for each in offsets.topic_partitions),
        "deleted": deleted,
        "again": again,
    }


def admin(brokers, _protocol):
    """Partitions, settings, records, offsets and the cluster."""
    client, topic = create(brokers, "admin", 1)
    produce(brokers, topic, 10, 1)
    added = error_of(client.create_partitions([NewPartitions(topic, 3)])[topic])
    fewer = error_of(client.create_partitions([NewPartitions(topic, 2)])[topic])
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    value = ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET)
    changed = error_of(client.incremental_alter_configs([ConfigResource(resource.restype, topic, incremental_configs=[value])])[resource])
    configs = client.describe_configs([resource])[resource].result(WAIT_S)
    wrong = ConfigEntry("no.such.setting", "1", incremental_operation=AlterConfigOpType.SET)
    unknown = error_of(client.incremental_alter_configs([ConfigResource(resource.restype, topic, incremental_configs=[wrong])])[resource])
    place = TopicPartition(topic, 0)
    low = client.delete_records([TopicPartition(topic, 0, 4)])[place].result(WAIT_S).low_watermark
    specs = {"earliest": OffsetSpec.earliest(), "latest": OffsetSpec.latest()}
    offsets = {
        word: client.list_offsets({place: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)[place].result(WAIT_S).offset
        for word, spec in specs.items()
    }
    cluster = client.describe_cluster().result(WAIT_S)
    described = client.describe_topics(TopicCollection([topic]))[topic].result(WAIT_S)
    return {
        "added": added,
        "fewer": fewer,
        "changed": changed,
        "retention": [configs["retention.ms"].value, configs["retention.ms"].is_default],
        "unknown": unknown,
        "low": low,
        "offsets": offsets,
        "nodes": len(cluster.nodes),
        "controller": cluster.controller.id == cluster.nodes[0].id,
        "partitions": len(described.partitions),
    }


def wide(brokers, protocol):
    """Every one of 1,000 partitions is read and committed by a member."""
    _, topic = create(brokers, "wide", 1000)
    produce(brokers, topic, 1000, 1000)
    consumer = member(brokers, topic, protocol)
    consumer.subscribe([topic])
    values = read([consumer], 1000)
    consumer.commit(asynchronous=False)
    committed = consumer.committed([TopicPartition(topic, partition) for partition in range(1000)], timeout=WAIT_S)
    consumer.close()
    return {"all": sorted(values) == list(range(1000)), "committed": sum(each.offset for each in committed)}


if __name__ == "__main__":
    _, case, brokers, protocol = sys.argv
    cases = {"static": static, "places": places, "groups": groups, "admin": admin, "wide": wide}
    json.dump(cases[case](brokers, protocol), sys.stdout)
