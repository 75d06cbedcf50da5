"""A member of a consumer group that tells what it does, a line of JSON for each event, until SIGTERM.

Usage: member.py BROKERS GROUP TOPIC PROTOCOL SESSION_MS. A session of 0 is the broker's.

  assigned, revoked, lost   the partitions
  committing                [partition, first, end] for each partition: records read, about to be committed
  committed, refused        the same, with the broker's verdict; what was refused is committed again while the partition is its own
  fatal                     what librdkafka takes for the end of this consumer
"""

import json
import signal
import sys

from confluent_kafka import Consumer, KafkaException, TopicPartition

BATCH_RECORDS_MAX = 500

_, brokers, group, topic, protocol, session_ms = sys.argv
is_running = True
# Read and not committed: for each partition the first offset and the one after the last.
pending = {}


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def stop(_signal, _frame):
    global is_running
    is_running = False


def commit(consumer, partitions):
    """Commits what is pending of these partitions and waits for the verdict."""
    ranges = [[partition, *pending[partition]] for partition in partitions if partition in pending]
    if not ranges:
        return
    say("committing", ranges=ranges)
    try:
        offsets = [TopicPartition(topic, partition, end) for partition, _, end in ranges]
        errors = {each.partition: each.error for each in consumer.commit(offsets=offsets, asynchronous=False)}
    except KafkaException as failure:
        errors = {partition: failure.args[0] for partition, _, _ in ranges}
    for each in ranges:
        error = errors[each[0]]
        if error is None:
            del pending[each[0]]
            say("committed", ranges=[each])
        else:
            say("refused", ranges=[each], error=error.name())


def on_assign(_consumer, assigned):
    say("assigned", partitions=[each.partition for each in assigned])


def on_revoke(consumer, revoked):
    partitions = [each.partition for each in revoked]
    commit(consumer, partitions)
    forget(partitions)
    say("revoked", partitions=partitions)


def on_lost(_consumer, lost):
    partitions = [each.partition for each in lost]
    forget(partitions)
    say("lost", partitions=partitions)


def forget(partitions):
    for partition in partitions:
        pending.pop(partition, None)


def main():
    settings = {
        "bootstrap.servers": brokers,
        "group.id": group,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    if protocol == "classic":
        settings["partition.assignment.strategy"] = "cooperative-sticky"
        if session_ms != "0":
            settings["session.timeout.ms"] = int(session_ms)
            settings["heartbeat.interval.ms"] = int(session_ms) // 6
    consumer = Consumer(settings)
    consumer.subscribe([topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)
    while is_running:
        for index in range(BATCH_RECORDS_MAX):
            message = consumer.poll(0.1 if index == 0 else 0)
            if message is None:
                break
            if message.error() is None:
                first = pending.get(message.partition(), (message.offset(),))[0]
                pending[message.partition()] = (first, message.offset() + 1)
            elif message.error().fatal():
                say("fatal", error=message.error().name())
                return
        commit(consumer, list(pending))
    consumer.close()


signal.signal(signal.SIGTERM, stop)
main()
