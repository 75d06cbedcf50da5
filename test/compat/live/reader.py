"""
A reader of a live topic as an application in Python would write it: `reader.py sse|websocket HOST:PORT TOPIC`.

It reads from the earliest record on, and comes back where it was each time that the connection breaks, until every partition has given its
last record, whose value is "end". Then it prints {"connections": N, "partitions": {"0": [[first, last], ...]}, "wrong": []}: the offsets
that came, in the order in which they came, as runs of consecutive ones; and values that are not "PARTITION-OFFSET".
"""

import http.client
import json
import sys

import sseclient
import websockets
import websockets.sync.client


class Seen:
    def __init__(self, partitions):
        self.runs = {partition: [] for partition in range(partitions)}
        self.wrong = []
        self.ended = set()

    def add(self, record):
        partition, offset, value = record["partition"], record["offset"], record["value"]
        runs = self.runs[partition]
        if runs and runs[-1][1] == offset - 1:
            runs[-1][1] = offset
        else:
            runs.append([offset, offset])
        if value == "end":
            self.ended.add(partition)
        elif not value.startswith(f"{partition}-{offset} "):
            self.wrong.append(record)

    @property
    def is_whole(self):
        return len(self.ended) == len(self.runs)


def read_events(address, topic, seen):
    """One connection after the other; the last id goes back as Last-Event-ID."""
    connections, last_id = 0, None
    while not seen.is_whole:
        connection = http.client.HTTPConnection(address, timeout=60)
        try:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
            connection.request("GET", f"/topics/{topic}/messages?offset=earliest", headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                raise SystemExit(f"{response.status}: {response.read()}")
            connections += 1
            chunks = iter(lambda: response.read1(65536), b"")
            for event in sseclient.SSEClient(chunks).events():
                last_id = event.id or last_id
                if event.event == "message":
                    seen.add(json.loads(event.data))
                if seen.is_whole:
                    break
        except (http.client.HTTPException, OSError):
            pass
        finally:
            connection.close()
    return connections


def read_socket(address, topic, seen):
    connections, position = 0, None
    while not seen.is_whole:
        try:
            with websockets.sync.client.connect(
                f"ws://{address}/topics/{topic}/live", max_size=None, proxy=None
            ) as socket:
                connections += 1
                place = {"position": position} if position else {"offset": "earliest"}
                socket.send(json.dumps({"type": "subscribe", **place}))
                while not seen.is_whole:
                    message = json.loads(socket.recv())
                    position = message.get("position", position)
                    if message["type"] == "error":
                        raise SystemExit(json.dumps(message))
                    for record in message.get("messages", []):
                        seen.add(record)
        except (websockets.exceptions.WebSocketException, OSError):
            pass
    return connections


kind, address, topic, partitions = sys.argv[1:5]
seen = Seen(int(partitions))
connections = {"sse": read_events, "websocket": read_socket}[kind](address, topic, seen)
print(json.dumps({"connections": connections, "partitions": seen.runs, "wrong": seen.wrong[:3]}))
