"""An idempotent producer of confluent-kafka whose id expires. Usage: expired_producer.py CASE BROKERS TOPIC; prints offsets."""

import json
import sys
import time

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

WAIT_S = 30
# Far longer than the server of the test remembers a producer.
SILENCE_S = 0.05


class Sender:
    def __init__(self, brokers, topic):
        self.topic = topic
        self.fatal = []
        self.offsets = []
        self.producer = Producer(
            {"bootstrap.servers": brokers, "enable.idempotence": True, "error_cb": lambda error: self.fatal.append(error)}
        )

    def send(self, value):
        """Sends one record and waits for its acknowledgement."""
        self.producer.produce(self.topic, value=value, partition=0, on_delivery=self.delivered)
        if self.producer.flush(WAIT_S) != 0:
            raise RuntimeError(f"{value} was not acknowledged: {self.fatal}")

    def delivered(self, error, message):
        if error is not None:
            raise RuntimeError(str(error))
        self.offsets.append(message.offset())


def create(admin, topic):
    for future in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        future.result(WAIT_S)


def silence(brokers, topic):
    create(AdminClient({"bootstrap.servers": brokers}), topic)
    sender = Sender(brokers, topic)
    for value in ["a", "b", "c"]:
        sender.send(value)
        time.sleep(SILENCE_S)
    return sender.offsets


def again(brokers, topic):
    admin = AdminClient({"bootstrap.servers": brokers})
    create(admin, topic)
    sender = Sender(brokers, topic)
    sender.send("a")
    sender.send("b")
    for future in admin.delete_topics([topic]).values():
        future.result(WAIT_S)
    create(admin, topic)
    sender.send("c")
    sender.send("d")
    return sender.offsets


print(json.dumps({"silence": silence, "again": again}[sys.argv[1]](sys.argv[2], sys.argv[3])))
