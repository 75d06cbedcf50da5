"""Consumers of many groups, one each, that commit every 100 ms and tell what was acknowledged, until SIGTERM.

Usage: members.py BROKERS TOPIC GROUP PROTOCOL, with as many pairs of GROUP and PROTOCOL as there are groups. Each record that is
read is committed before the next one is polled. Lines of JSON: assigned, committed (partition, offset), failed, fatal.
"""

import json
import signal
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

COMMIT_S = 0.1
has_ended = threading.Event()
lock = threading.Lock()


def say(group, event, **fields):
    with lock:
        print(json.dumps({"group": group, "event": event, **fields}), flush=True)


def run(brokers, topic, group, protocol):
    consumer = Consumer({
        "bootstrap.servers": brokers,
        "group.id": group,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "reconnect.backoff.max.ms": 250,
        "log_level": 2,
    })
    consumer.subscribe([topic], on_assign=lambda _, assigned: say(group, "assigned", count=len(assigned)))
    due = time.monotonic()
    while not has_ended.is_set():
        message = consumer.poll(0.1)
        if message is None:
            continue
        if message.error() is not None:
            say(group, "fatal" if message.error().fatal() else "failed", error=message.error().name())
            continue
        commit(consumer, topic, group, message.partition(), message.offset() + 1)
        due = max(due + COMMIT_S, time.monotonic())
        has_ended.wait(due - time.monotonic())
    consumer.close()


def commit(consumer, topic, group, partition, offset):
    """Until the broker has taken it, or the partition may be another one's."""
    while not has_ended.is_set():
        try:
            error = consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)[0].error
        except KafkaException as failure:
            error = failure.args[0]
        if error is None:
            say(group, "committed", partition=partition, offset=offset)
            return
        say(group, "fatal" if error.fatal() else "failed", error=error.name())
        if not error.retriable() and error.name() not in ("_TRANSPORT", "_TIMED_OUT", "_ALL_BROKERS_DOWN", "_WAIT_COORD"):
            return


_, brokers, topic, *groups = sys.argv
threads = [
    threading.Thread(target=run, args=(brokers, topic, group, protocol))
    for group, protocol in zip(groups[::2], groups[1::2])
]
signal.signal(signal.SIGTERM, lambda *_: has_ended.set())
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
