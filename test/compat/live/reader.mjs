/**
 * The same as reader.py in Node: `reader.mjs sse|websocket HOST:PORT TOPIC PARTITIONS`, with the packages eventsource, which connects again
 * by itself as a browser does, and ws.
 */

import { EventSource } from "eventsource";
import { WebSocket } from "ws";

const [kind, address, topic, partitions] = process.argv.slice(2);
const runs = Object.fromEntries(
  Array.from({ length: Number(partitions) }, (_, partition) => [partition, []]),
);
const wrong = [];
const ended = new Set();
let connections = 0;

function add({ partition, offset, value, ...rest }) {
  const last = runs[partition].at(-1);
  if (last?.[1] === offset - 1) last[1] = offset;
  else runs[partition].push([offset, offset]);
  if (value === "end") ended.add(partition);
  else if (!value.startsWith(`${partition}-${offset} `)) wrong.push({ partition, offset, value, ...rest });
}

function finishIfWhole() {
  if (ended.size < Number(partitions)) return;
  console.log(JSON.stringify({ connections, partitions: runs, wrong: wrong.slice(0, 3) }));
  process.exit(0);
}

function readEvents() {
  const source = new EventSource(`http://${address}/topics/${topic}/messages?offset=earliest`);
  source.onopen = () => {
    connections += 1;
  };
  source.onmessage = ({ data }) => {
    add(JSON.parse(data));
    finishIfWhole();
  };
}

function readSocket(position) {
  const socket = new WebSocket(`ws://${address}/topics/${topic}/live`);
  let last = position;
  socket.on("open", () => {
    connections += 1;
    const place = last === null ? { offset: "earliest" } : { position: last };
    socket.send(JSON.stringify({ type: "subscribe", ...place }));
  });
  socket.on("message", (text) => {
    const message = JSON.parse(text);
    if (message.type === "error") throw new Error(text);
    last = message.position ?? last;
    for (const record of message.messages ?? []) add(record);
    finishIfWhole();
  });
  socket.on("error", () => {});
  socket.on("close", () => readSocket(last));
}

setInterval(() => {}, 1000); // eventsource keeps no process alive while it waits to connect again

if (kind === "sse") readEvents();
else readSocket(null);
