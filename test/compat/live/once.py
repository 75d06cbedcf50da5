"""
What a client in Python makes of single messages: `once.py sse|websocket HOST:PORT TOPIC COUNT` prints the first so many records as they came;
`once.py produce HOST:PORT TOPIC VALUE ...` stores values over a WebSocket and prints the answers.
"""

import http.client
import json
import sys

import sseclient
import websockets.sync.client


def events(address, topic):
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", f"/topics/{topic}/messages?offset=earliest", headers={"Accept": "text/event-stream"})
    response = connection.getresponse()
    chunks = iter(lambda: response.read1(7), b"")
    for event in sseclient.SSEClient(chunks).events():
        if event.event == "message":
            yield json.loads(event.data)


def messages(address, topic):
    with open_socket(address, topic) as socket:
        socket.send('{"type":"subscribe","offset":"earliest"}')
        while True:
            yield from json.loads(socket.recv()).get("messages", [])


def open_socket(address, topic):
    return websockets.sync.client.connect(f"ws://{address}/topics/{topic}/live", max_size=None, proxy=None)


kind, address, topic, *rest = sys.argv[1:]
if kind == "produce":
    with open_socket(address, topic) as socket:
        for number, value in enumerate(rest):
            socket.send(json.dumps({"type": "produce", "id": number, "message": {"value": value}}))
        answers = [json.loads(socket.recv()) for _ in rest]
        socket.send(b"bytes")
        try:
            socket.recv()
        except websockets.exceptions.ConnectionClosed as closed:
            print(json.dumps({"answers": answers, "closed": [closed.rcvd.code, closed.rcvd.reason]}))
else:
    found = {"sse": events, "websocket": messages}[kind](address, topic)
    print(json.dumps([next(found) for _ in range(int(rest[0]))]))
    found.close()
