/** A reader of the topic t over HTTP that takes nothing of what it has asked for, until it is asked why it was cut. */

import { connect, type Socket } from "node:net";
import { RawWebSocket } from "./raw-web-socket.ts";

export type ReaderKind = "sse" | "ndjson" | "websocket";

const HEADERS = {
  sse: "Accept: text/event-stream",
  ndjson: "Accept: application/x-ndjson",
};

export class SlowReader implements Disposable {
  readonly #socket: Socket | RawWebSocket;
  #text = "";

  constructor(port: number, kind: ReaderKind) {
    if (kind === "websocket") {
      this.#socket = new RawWebSocket(port);
      this.#socket.send({ type: "subscribe", offset: "earliest" });
    } else {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        this.#text += chunk.toString();
      });
      socket.write(
        `GET /topics/t/messages?offset=earliest${kind === "ndjson" ? "&wait=300000" : ""} HTTP/1.1\r\n` +
          `Host: localhost:${port}\r\nConnection: close\r\n${HEADERS[kind]}\r\n\r\n`,
      );
      this.#socket = socket;
    }
    this.#socket.pause();
  }

  /** Takes what there is, to its end; the code of the error at the end. */
  async reason(): Promise<string> {
    const socket = this.#socket;
    socket.resume();
    if (socket instanceof RawWebSocket) {
      await socket.until(() => socket.closed !== null);
      return socket.closed![1].split(":")[0]!;
    }
    if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
    return /"code":"([A-Z_]+)"(?!.*"code")/s.exec(this.#text.slice(-2000))?.[1] ?? "none";
  }

  [Symbol.dispose](): void {
    if (this.#socket instanceof RawWebSocket) this.#socket[Symbol.dispose]();
    else this.#socket.destroy();
  }
}
