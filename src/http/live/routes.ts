/**
 * `GET /topics/{topic}/live`: a WebSocket on a topic (live-socket.ts). What is refused before the upgrade is a problem document; so are pages
 * of foreign origins (origin-check.ts), whom nobody else would refuse: browsers let every page open a WebSocket anywhere.
 *
 * Bun hands all sockets to the handlers of its server; each has its `LiveUpgrade` as data.
 */

import { type AnyElysia, Elysia } from "elysia";
import { ObeliskError, toObeliskError } from "../../base/errors.ts";
import type { Topic } from "../../broker/topic.ts";
import { documented } from "../access.ts";
import type { HttpParts } from "../http-parts.ts";
import { topicNamed } from "../topic-lookup.ts";
import { FRAME_BYTES_MAX } from "./client-message.ts";
import { LiveSocket } from "./live-socket.ts";
import type { Socket } from "./socket-output.ts";

interface LiveUpgrade {
  readonly parts: HttpParts;
  readonly topic: Topic;
  /** Null before it is open, and when it has no place. */
  live: LiveSocket | null;
}

/** For Bun.serve. */
export const LIVE_SOCKETS: Bun.WebSocketHandler<unknown> = {
  maxPayloadLength: FRAME_BYTES_MAX,
  // Silent peers, pings and what waits to be sent are for LiveSocket to look after: Bun would close, or drop, without a reason.
  idleTimeout: 0,
  sendPings: false,
  backpressureLimit: 0,
  perMessageDeflate: false,
  open: opened,
  message: (socket, frame) => upgradeOf(socket).live?.received(frame),
  ping: (socket) => upgradeOf(socket).live?.heard(),
  pong: (socket) => upgradeOf(socket).live?.heard(),
  drain: (socket) => upgradeOf(socket).live?.drained(),
  close: (socket) => upgradeOf(socket).live?.closed(),
};

export function liveRoutes(parts: HttpParts): AnyElysia {
  return new Elysia().get(
    "/topics/:topic/live",
    ({ request, params }) => {
      const topic = topicNamed(parts.broker, params.topic);
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket")
        throw new ObeliskError("UPGRADE_REQUIRED");
      parts.live.checkRoom();
      const data: LiveUpgrade = { parts, topic, live: null };
      if (!parts.servers.of(request).upgrade(request, { data })) throw new ObeliskError("UPGRADE_REQUIRED");
      return new Response(null, { status: 101 }); // Bun has answered so; it is for the metrics
    },
    documented({
      access: ["read", "topic"],
      tag: "messages",
      summary: "Read and write over a WebSocket",
      responses: { 101: { description: "A WebSocket; docs/http.md says what goes over it." } },
    }),
  );
}

function opened(socket: Socket): void {
  const upgrade = upgradeOf(socket);
  try {
    upgrade.live = new LiveSocket(upgrade.parts, upgrade.topic, socket);
  } catch (thrown) {
    const error = toObeliskError(thrown); // others have come meanwhile
    socket.close(1013, `${error.code}: ${error.message}`);
  }
}

function upgradeOf(socket: Socket): LiveUpgrade {
  return socket.data as LiveUpgrade;
}
