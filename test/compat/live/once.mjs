/**
 * The same as once.py in Node; and `once.mjs gone HOST:PORT TOPIC` follows a topic until it is deleted, and prints what its EventSource was
 * told, and how it ended.
 */

import { EventSource } from "eventsource";
import { WebSocket } from "ws";

const [kind, address, topic, ...rest] = process.argv.slice(2);
const found = [];
setInterval(() => {}, 1000); // eventsource keeps no process alive while it waits to connect again

function print(result) {
  console.log(JSON.stringify(result));
  process.exit(0);
}

function add(records) {
  found.push(...records);
  if (found.length >= Number(rest[0])) print(found);
}

function readEvents() {
  const source = new EventSource(`http://${address}/topics/${topic}/messages?offset=earliest`);
  source.onmessage = ({ data }) => add([JSON.parse(data)]);
}

function readSocket() {
  const socket = new WebSocket(`ws://${address}/topics/${topic}/live`);
  socket.on("open", () => socket.send('{"type":"subscribe","offset":"earliest"}'));
  socket.on("message", (text) => add(JSON.parse(text).messages ?? []));
}

function produce() {
  const socket = new WebSocket(`ws://${address}/topics/${topic}/live`);
  const answers = [];
  socket.on("open", () => {
    for (const [id, value] of rest.entries())
      socket.send(JSON.stringify({ type: "produce", id, message: { value } }));
  });
  socket.on("message", (text) => {
    answers.push(JSON.parse(text));
    if (answers.length === rest.length) socket.send(Buffer.from("bytes"), { binary: true });
  });
  socket.on("close", (code, reason) => print({ answers, closed: [code, reason.toString()] }));
}

function follow() {
  const source = new EventSource(`http://${address}/topics/${topic}/messages?offset=earliest`);
  const problems = [];
  const errors = [];
  source.addEventListener("position", () => {
    void fetch(`http://${address}/topics/${topic}`, { method: "DELETE" });
  });
  source.addEventListener("problem", ({ data }) => problems.push(JSON.parse(data).code));
  source.onerror = ({ code }) => {
    errors.push(code ?? null);
    if (source.readyState === EventSource.CLOSED) print({ problems, errors });
  };
}

({ sse: readEvents, websocket: readSocket, produce, gone: follow })[kind]();
