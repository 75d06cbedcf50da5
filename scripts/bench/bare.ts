/**
 * The limit of the runtime itself, as a server of its own: receives 64 KiB frames, computes their CRC-32C, writes them to
 * a file and responds; no protocol, no index, no sync. What the broker reaches is shown as a share of this.
 * Run as a child: prints its port as the first line and ends when its standard input does.
 */

import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32c } from "../../src/base/crc32c.ts";

const RESPONSE = Buffer.from([0, 0, 0, 1, 0]);

if (import.meta.main) {
  const directory = mkdtempSync(join(tmpdir(), "obelisk-bare-"));
  const file = openSync(join(directory, "log"), "w");
  let filePosition = 0;
  const listener = Bun.listen<{ frame: Buffer | null; filled: number; header: Buffer; headerBytes: number }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { frame: null, filled: 0, header: Buffer.alloc(4), headerBytes: 0 };
      },
      data(socket, chunk) {
        const state = socket.data;
        let position = 0;
        while (position < chunk.length) {
          if (state.frame === null) {
            state.header[state.headerBytes] = chunk[position]!;
            position += 1;
            state.headerBytes += 1;
            if (state.headerBytes < 4) continue;
            state.headerBytes = 0;
            state.frame = Buffer.allocUnsafeSlow(state.header.readInt32BE(0));
            state.filled = 0;
            continue;
          }
          const bytes = Math.min(state.frame.length - state.filled, chunk.length - position);
          chunk.copy(state.frame, state.filled, position, position + bytes);
          state.filled += bytes;
          position += bytes;
          if (state.filled < state.frame.length) continue;
          crc32c(state.frame, 0, state.frame.length);
          filePosition += writeSync(file, state.frame, 0, state.frame.length, filePosition);
          state.frame = null;
          socket.write(RESPONSE);
        }
      },
    },
  });
  console.log(listener.port);
  for await (const _ of Bun.stdin.stream()) {
    // Ends with the parent.
  }
  listener.stop(true);
  closeSync(file);
  rmSync(directory, { recursive: true });
}
