/**
 * The load generator: one socket that sends frames built beforehand and counts length-prefixed responses, so that a run
 * measures the server and hardly the client. Bounded: every run has a count and a deadline.
 */

const DEADLINE_MS = 120_000;

export interface Address {
  host: string;
  port: number;
}

/** Cuts int32-length-prefixed responses out of chunks without keeping their bodies, unless `keep` says so. */
class ResponseCounter {
  #header = Buffer.alloc(4);
  #headerBytes = 0;
  #missing = 0;
  #kept: Buffer[] = [];
  readonly #responded: (body: Buffer | null) => void;
  readonly #isKept: boolean;

  constructor(isKept: boolean, responded: (body: Buffer | null) => void) {
    this.#isKept = isKept;
    this.#responded = responded;
  }

  push(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length) {
      if (this.#missing === 0) {
        this.#header[this.#headerBytes] = chunk[position]!;
        this.#headerBytes += 1;
        position += 1;
        if (this.#headerBytes < 4) continue;
        this.#headerBytes = 0;
        this.#missing = this.#header.readInt32BE(0);
        continue;
      }
      const bytes = Math.min(this.#missing, chunk.length - position);
      if (this.#isKept) this.#kept.push(chunk.subarray(position, position + bytes));
      position += bytes;
      this.#missing -= bytes;
      if (this.#missing > 0) continue;
      const body = this.#isKept
        ? this.#kept.length === 1
          ? this.#kept[0]!
          : Buffer.concat(this.#kept)
        : null;
      this.#kept = [];
      this.#responded(body);
    }
  }
}

/** A connection that sends whatever it is given, in order, and waits for the socket where it must. */
export class LoadSocket {
  readonly #socket: Bun.Socket<undefined>;
  #pending: { bytes: Buffer; position: number }[] = [];

  private constructor(socket: Bun.Socket<undefined>) {
    this.#socket = socket;
  }

  static async connect(address: Address, data: (chunk: Buffer) => void): Promise<LoadSocket> {
    let self: LoadSocket | undefined;
    const socket = await Bun.connect<undefined>({
      hostname: address.host,
      port: address.port,
      data: undefined,
      socket: {
        data: (_, chunk) => data(chunk),
        drain: () => self?.flush(),
      },
    });
    socket.setNoDelay(true);
    self = new LoadSocket(socket);
    return self;
  }

  send(bytes: Buffer): void {
    this.#pending.push({ bytes, position: 0 });
    if (this.#pending.length === 1) this.flush();
  }

  flush(): void {
    for (let head = this.#pending[0]; head !== undefined; head = this.#pending[0]) {
      head.position += Math.max(0, this.#socket.write(head.bytes, head.position));
      if (head.position < head.bytes.length) return;
      this.#pending.shift();
    }
  }

  close(): void {
    this.#socket.end();
  }
}

/** A Kafka-framed connection for single calls. */
export class CallSocket {
  readonly #waiting: ((body: Buffer) => void)[] = [];
  #socket: LoadSocket | undefined;

  static async connect(address: Address): Promise<CallSocket> {
    const calls = new CallSocket();
    const counter = new ResponseCounter(true, (body) => calls.#waiting.shift()?.(body!));
    calls.#socket = await LoadSocket.connect(address, (chunk) => counter.push(chunk));
    return calls;
  }

  /** Sends a whole frame; the response's body, from its header on. */
  call(frame: Buffer): Promise<Buffer> {
    return withDeadline(
      new Promise((resolve) => {
        this.#waiting.push(resolve);
        this.#socket!.send(frame);
      }),
    );
  }

  close(): void {
    this.#socket!.close();
  }
}

/** Sends each frame `count` times in turn, `inFlight` at once, on one connection; resolves after the last response. */
export async function pump(
  address: Address,
  frames: readonly Buffer[],
  count: number,
  inFlight: number,
): Promise<void> {
  const done = Promise.withResolvers<void>();
  let sent = 0;
  let responded = 0;
  const counter = new ResponseCounter(false, () => {
    responded += 1;
    if (responded === count) done.resolve();
    else sendNext();
  });
  const socket = await LoadSocket.connect(address, (chunk) => counter.push(chunk));
  function sendNext(): void {
    if (sent === count) return;
    socket.send(frames[sent % frames.length]!);
    sent += 1;
  }
  for (let slot = 0; slot < Math.min(inFlight, count); slot += 1) sendNext();
  await withDeadline(done.promise);
  socket.close();
}

/** Sends `group` messages at a time, `inFlight` in all, and counts newline-ended responses; latency in ms of each group. */
export async function pumpLines(
  address: Address,
  message: Buffer,
  count: number,
  inFlight: number,
  linesPerResponse: number,
): Promise<number[]> {
  const group = Math.max(1, Math.floor(inFlight / 4));
  const rounds = Math.floor(count / group);
  const many = Buffer.concat(new Array<Buffer>(group).fill(message));
  const latencies: number[] = [];
  const startedAt: number[] = [];
  const done = Promise.withResolvers<void>();
  let sent = 0;
  let lines = 0;
  const socket = await LoadSocket.connect(address, (chunk) => {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) {
      lines += 1;
      if (lines % (group * linesPerResponse) !== 0) continue;
      latencies.push(performance.now() - startedAt.shift()!);
      if (latencies.length === rounds) done.resolve();
      else sendNext();
    }
  });
  function sendNext(): void {
    if (sent === rounds) return;
    sent += 1;
    startedAt.push(performance.now());
    socket.send(many);
  }
  for (let slot = 0; slot < Math.min(Math.max(1, Math.floor(inFlight / group)), rounds); slot += 1)
    sendNext();
  await withDeadline(done.promise);
  socket.close();
  return latencies;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** @throws when the work takes longer than any run may */
export async function withDeadline<T>(work: Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error(`no end after ${DEADLINE_MS} ms`)), DEADLINE_MS);
  try {
    return await Promise.race([work, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
