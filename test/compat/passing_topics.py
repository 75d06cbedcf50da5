"""
confluent-kafka while topics come and go. Usage: passing_topics.py BROKERS PROTOCOL ROUNDS; prints JSON.

An idempotent producer and a member of a group use one topic all the time. Beside them each round creates ten topics, writes to them,
and deletes them, while a second member reads those by a regular expression and a second producer goes on writing to what is gone.
"""

import json
import sys
import threading
import time
import uuid

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

WAIT_S = 30
PARTITIONS = 6
TOPICS_EACH = 10
RECORDS_EACH = 30


class Client:
    """What librdkafka told that an application would have to end for."""

    def __init__(self):
        self.fatal = []

    def settings(self, brokers):
        return {"bootstrap.servers": brokers, "error_cb": self.take, "topic.metadata.refresh.interval.ms": 1000}

    def take(self, error):
        if error.fatal():
            self.fatal.append(str(error))


class Steady:
    """Writes numbers to one topic and reads them in a group until it is told to end."""

    def __init__(self, client, brokers, topic, protocol):
        self.topic = topic
        self.acknowledged = []
        self.failed = []
        self.read = []
        self.ended = threading.Event()
        self.producer = Producer({**client.settings(brokers), "enable.idempotence": True, "linger.ms": 1})
        self.consumer = consumer_of(client, brokers, topic, protocol)
        self.consumer.subscribe([topic])
        self.threads = [threading.Thread(target=self.write), threading.Thread(target=self.listen)]
        for thread in self.threads:
            thread.start()

    def write(self):
        number = 0
        while not self.ended.is_set():
            self.producer.produce(self.topic, str(number), partition=number % PARTITIONS, on_delivery=self.delivered)
            number += 1
            self.producer.poll(0.001)
        self.producer.flush(WAIT_S)

    def delivered(self, error, message):
        if error is None:
            self.acknowledged.append(int(message.value()))
        else:
            self.failed.append(str(error))

    def listen(self):
        deadline = None
        while deadline is None or (time.monotonic() < deadline and len(self.read) < len(self.acknowledged)):
            message = self.consumer.poll(0.1)
            if message is not None and message.error() is None:
                self.read.append(int(message.value()))
            if deadline is None and self.ended.is_set() and not self.threads[0].is_alive():
                deadline = time.monotonic() + WAIT_S
        self.consumer.close()

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def consumer_of(client, brokers, group, protocol):
    return Consumer({
        **client.settings(brokers),
        "group.id": group,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
    })


def pass_topics(admin, writer, reader, names):
    """Created, written to, in part read, and deleted while the writer goes on."""
    for future in admin.create_topics([NewTopic(name, 2, 1) for name in names]).values():
        future.result(WAIT_S)
    delivered = []
    for name in names:
        for number in range(RECORDS_EACH):
            writer.produce(name, str(number), on_delivery=lambda error, _: delivered.append(error))
    deadline = time.monotonic() + WAIT_S
    while len(delivered) < len(names) * RECORDS_EACH and time.monotonic() < deadline:
        writer.poll(0.01)
        reader.poll(0)
    deletions = admin.delete_topics(names)
    for name in names:
        writer.produce(name, "late")
    for future in deletions.values():
        future.result(WAIT_S)
    return sum(1 for error in delivered if error is None)


def main(brokers, protocol, rounds):
    client = Client()
    admin = AdminClient({"bootstrap.servers": brokers})
    word = f"confluent-{protocol}-{uuid.uuid4()}"
    admin.create_topics([NewTopic(word, PARTITIONS, 1)])[word].result(WAIT_S)
    steady = Steady(client, brokers, word, protocol)
    writer = Producer({**client.settings(brokers), "allow.auto.create.topics": False, "message.timeout.ms": 5000})
    reader = consumer_of(client, brokers, f"passing-{word}", protocol)
    reader.subscribe([f"^passing-{word}-.*"])
    written = []
    try:
        for round in range(rounds):
            names = [f"passing-{word}-{round}-{index}" for index in range(TOPICS_EACH)]
            written.append(pass_topics(admin, writer, reader, names))
            reader.poll(0.05)
    finally:
        reader.close()
        writer.purge()
        steady.end()
    return {
        "written": written,
        "wrote": len(steady.acknowledged) > 0,
        "failed": steady.failed,
        "readOnce": sorted(steady.read) == sorted(steady.acknowledged),
        "fatal": client.fatal,
        "left": [name for name in admin.list_topics(timeout=WAIT_S).topics if name.startswith(f"passing-{word}")],
    }


if __name__ == "__main__":
    _, brokers, protocol, rounds = sys.argv
    json.dump(main(brokers, protocol, int(rounds)), sys.stdout)
