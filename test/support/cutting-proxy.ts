/**
 * A way to a server that breaks: it passes bytes on, and cuts each of its first connections after some bytes of what comes back, wherever
 * that is within a message; every second one by a reset. Later connections stay.
 */

import { connect, createServer, type Server, type Socket } from "node:net";

export interface CuttingProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections that were cut so far. */
  readonly cuts: number;
}

/** `afterBytes`: of each connection that is to be cut. */
export async function startCuttingProxy(
  target: number,
  afterBytes: readonly number[],
): Promise<CuttingProxy> {
  const open = new Set<Socket>();
  let cuts = 0;
  let connections = 0;
  const server: Server = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    let left = afterBytes[connections] ?? Number.POSITIVE_INFINITY;
    connections += 1;
    const end = () => {
      near.destroy();
      far.destroy();
      open.delete(near);
    };
    open.add(near);
    near.on("error", end).on("close", end);
    far.on("error", end).on("close", end);
    near.on("data", (chunk) => far.write(chunk));
    far.on("data", (chunk) => {
      const isLast = chunk.length >= left;
      if (!near.write(isLast ? chunk.slice(0, left) : chunk)) far.pause();
      left -= chunk.length;
      if (!isLast) return;
      cuts += 1;
      far.destroy();
      if (cuts % 2 === 0) near.resetAndDestroy();
      else near.destroy();
    });
    near.on("drain", () => far.resume());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as { port: number }).port,
    get cuts() {
      return cuts;
    },
    [Symbol.asyncDispose]: async () => {
      for (const near of open) near.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
