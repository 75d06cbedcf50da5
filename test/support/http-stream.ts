/** A request over a plain socket: a body that comes piece by piece, an answer that is read line by line, or not at all. */

export class HttpStream implements AsyncDisposable {
  readonly #socket: Bun.Socket<undefined>;
  #text = "";
  #isClosed = false;
  #wake: () => void = () => {};
  /** Where the head of the answer ends; -1 while it has not come. */
  #bodyStart = -1;
  #body = "";
  #isEnded = false;

  private constructor(socket: Bun.Socket<undefined>) {
    this.#socket = socket;
  }

  static post(port: number, path: string, headers: Record<string, string>): Promise<HttpStream> {
    return HttpStream.#request(port, `POST ${path}`, { "transfer-encoding": "chunked", ...headers });
  }

  static get(port: number, path: string, headers: Record<string, string>): Promise<HttpStream> {
    return HttpStream.#request(port, `GET ${path}`, headers);
  }

  static async #request(port: number, target: string, headers: Record<string, string>): Promise<HttpStream> {
    let stream: HttpStream | null = null;
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_, bytes) => stream!.#came(bytes.toString("latin1")),
        close: () => stream!.#closed(),
        error: () => {},
      },
    });
    stream = new HttpStream(socket);
    const head = Object.entries({ host: `127.0.0.1:${port}`, ...headers });
    socket.write(
      `${target} HTTP/1.1\r\n${head.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    );
    return stream;
  }

  send(text: string): void {
    const bytes = Buffer.from(text);
    const chunk = Buffer.concat([
      Buffer.from(`${bytes.length.toString(16)}\r\n`),
      bytes,
      Buffer.from("\r\n"),
    ]);
    if (this.#socket.write(chunk) !== chunk.length)
      throw new Error("the socket did not take a chunk at once");
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.write("0\r\n\r\n");
  }

  async status(): Promise<number> {
    await this.#until(() => this.#text.includes("\r\n"));
    return Number(/^HTTP\/1\.1 (\d+)/.exec(this.#text)?.[1]);
  }

  /** The next line of the answer as JSON; null at its end. */
  async line(): Promise<unknown> {
    await this.#until(() => this.#body.includes("\n") || this.#isEnded);
    const end = this.#body.indexOf("\n");
    if (end === -1) return null;
    const line = this.#body.slice(0, end);
    this.#body = this.#body.slice(end + 1);
    return JSON.parse(line);
  }

  /** All that is left of an answer that is not chunked. */
  async rest(): Promise<string> {
    const length = () => Number(/content-length: (\d+)/i.exec(this.#text)?.[1]);
    const start = () => this.#text.indexOf("\r\n\r\n") + 4;
    await this.#until(() => start() > 3 && this.#text.length >= start() + length());
    return this.#text.slice(start());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.terminate();
    await this.#until(() => this.#isClosed);
  }

  #came(text: string): void {
    this.#text += text;
    this.#cut();
    this.#wake();
  }

  #closed(): void {
    this.#isClosed = true;
    this.#isEnded = true;
    this.#wake();
  }

  /** Takes whole chunks out of what has come. */
  #cut(): void {
    if (this.#bodyStart === -1) {
      const end = this.#text.indexOf("\r\n\r\n");
      if (end === -1 || !/transfer-encoding: chunked/i.test(this.#text)) return;
      this.#bodyStart = end + 4;
    }
    for (;;) {
      const sizeEnd = this.#text.indexOf("\r\n", this.#bodyStart);
      if (sizeEnd === -1) return;
      const size = Number.parseInt(this.#text.slice(this.#bodyStart, sizeEnd), 16);
      const end = sizeEnd + 2 + size + 2;
      if (this.#text.length < end) return;
      this.#body += this.#text.slice(sizeEnd + 2, end - 2);
      this.#bodyStart = end;
      if (size === 0) {
        this.#isEnded = true;
        return;
      }
    }
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
