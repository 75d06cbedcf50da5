/**
 * One accepted socket: bytes in, frames to the handler; buffers from the handler, bytes out.
 *
 *     open --finish()--> finishing --all responses written--> lingering --peer closes, or the time is over--> closed
 *       \________________________ closeNow(), error, cut off __________________________________________/
 *
 * Input is read while nothing holds it (input-holds.ts), and frames are delivered with the memory that they hold (frame-input.ts).
 *
 * Output leaves at the end of the turn, many small buffers in one write. Above `outputHardBytes` of it in memory
 * the peer is cut off.
 *
 * Finishing reads no more frames but drops what comes, and after the last response only the sending side is shut: closing a
 * socket with unread bytes would reset the connection, and could take the last response away from the peer. A peer that has
 * nothing under way when the server stops (`retire`) gets a moment only: it has all its responses, and may not be reading.
 *
 * Idle: a connection is cut when it neither completes a frame, nor moves 64 KiB of one, nor takes output within the timeout.
 * Time in which it waits for us (responses, holds of handler and memory) does not count, unless it owes the rest of a frame.
 * It is cut much earlier when others wait for memory that it holds and does not use (frame-memory.ts, response-memory.ts).
 */

import { formatAddress, socketHost } from "../base/address.ts";
import { fail } from "../base/assert.ts";
import type { ByteSource } from "../base/byte-source.ts";
import type { Timer } from "../base/clock.ts";
import { loopTurns } from "../base/loop/loop-turns.ts";
import type { MemoryAccount } from "../base/memory/memory-account.ts";
import { ANONYMOUS, type Principal } from "../security/principal.ts";
import type { ConnectionOptions, PeerSocket } from "./connection-options.ts";
import { ConnectionOutput, type OutputPeer } from "./connection-output.ts";
import type { FrameConnection } from "./frame-handler.ts";
import { FrameInput, type InputPeer, violationOf } from "./frame-input.ts";
import { frameTurns, type TurnWaiter } from "./frame-turns.ts";
import { Step } from "./framing.ts";
import { Stillness, type Watched } from "./idle-sweep.ts";
import { Hold, InputHolds } from "./input-holds.ts";
import { ResponseMemory } from "./response-memory.ts";

/** How long a peer may take to close its side after the last response. */
export const LINGER_MS = 2000;
/** The same for one that has nothing under way when the server stops: a graceful shutdown must not wait for an idle peer. */
export const REST_LINGER_MS = 50;

/** What comes next of it: nobody knows, the rest of a long frame, or something short. */
const Standing = { NEW: 0, LONG: 1, SHORT: 2 } as const;
type Standing = (typeof Standing)[keyof typeof Standing];

const OPEN = 0;
const FINISHING = 1;
const LINGERING = 2;
const CLOSED = 3;

/** What a handler may do with it is described in frame-handler.ts. */
export class Connection<State> implements FrameConnection<State>, Watched, InputPeer, OutputPeer, TurnWaiter {
  readonly id: number;
  readonly remoteAddress: string;
  readonly remoteHost: string;
  readonly localHost: string;
  principal: Principal = ANONYMOUS;
  readonly state: State;
  /** By the wall clock. */
  readonly openedAtMs: number;
  bytesIn = 0;
  frames = 0;

  readonly #options: ConnectionOptions<State>;
  readonly #socket: PeerSocket;
  readonly #input: FrameInput;
  readonly #holds: InputHolds;
  #responseMemory: ResponseMemory | null = null;
  readonly #output: ConnectionOutput;
  #phase = OPEN;
  #isInTurn = false;
  #isScheduled = false;
  #hasPeerEnded = false;
  #outstanding = 0;
  readonly #stillness: Stillness;
  #standing: Standing = Standing.NEW;
  /** It has waited for this turn: one frame may come, whatever the turn has taken already. */
  #isTurnGranted = false;
  #lingerMs = LINGER_MS;
  #linger: Timer | null = null;
  readonly #scheduledTurn = (): void => {
    this.#isScheduled = false;
    this.#turn();
  };

  constructor(id: number, socket: PeerSocket, options: ConnectionOptions<State>) {
    this.id = id;
    this.remoteAddress = formatAddress({ host: socket.remoteAddress, port: socket.remotePort });
    this.remoteHost = socketHost(socket.remoteAddress);
    this.localHost = socketHost(socket.localAddress);
    this.openedAtMs = options.clock.nowMs();
    this.#socket = socket;
    this.#options = options;
    this.#input = new FrameInput(options, this);
    this.#output = new ConnectionOutput(options, socket, this);
    this.#holds = new InputHolds(socket);
    this.#stillness = new Stillness(options.idle);
    options.idle.watch(this);
    this.state = options.handler.open(this);
    this.#waitAfterCut();
    if (this.#phase !== CLOSED) frameTurns.addNewcomer(this);
  }

  get isOpen(): boolean {
    return this.#phase === OPEN;
  }

  get isWritable(): boolean {
    return this.#phase <= FINISHING;
  }

  get bytesOut(): number {
    return this.#output.bytesOut;
  }

  get outputBytes(): number {
    return this.#output.bytes;
  }

  /** Those of them that are held in memory. */
  get heldOutputBytes(): number {
    return this.#output.heldBytes;
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  get responseMemory(): MemoryAccount {
    this.#responseMemory ??= new ResponseMemory(this.#options.responseBudget, this);
    return this.#responseMemory.account;
  }

  /** For its memory: whether the input is held because of what the peer does, or does not do. */
  get isHeldByPeer(): boolean {
    if (this.#holds.has(Hold.OUTPUT)) return true;
    return this.#holds.has(Hold.HANDLER) && this.#options.handler.isPeerWaiting(this);
  }

  get isLong(): boolean {
    return this.#input.isLong || this.frames === 0;
  }

  get isWaitingForTurn(): boolean {
    return this.#holds.has(Hold.TURN);
  }

  write(part: Buffer | ByteSource): void {
    if (this.#phase > FINISHING) return;
    this.#output.push(part);
    if (!this.#isInTurn) this.#schedule();
    else if (this.#output.isHigh) this.#hold(Hold.OUTPUT);
  }

  expectResponses(count: number): void {
    this.#outstanding += count;
  }

  responded(count: number): void {
    if (count > this.#outstanding) fail("more responses than requests");
    this.#outstanding -= count;
    if (this.#outstanding === 0 && this.#phase === FINISHING) this.#schedule();
  }

  releaseFrame(frameBytes: number): void {
    this.#input.release(frameBytes);
  }

  pauseInput(): void {
    this.#hold(Hold.HANDLER);
  }

  resumeInput(): void {
    this.#unhold(Hold.HANDLER);
  }

  finish(): void {
    if (this.#phase !== OPEN) return;
    this.#phase = FINISHING;
    this.#input.drop();
    this.#holds.clear();
    this.#holds.apply();
    this.#schedule();
  }

  /** A graceful shutdown: as `finish`, but who waits for nothing is not waited for. */
  retire(): void {
    const isAtRest =
      this.#outstanding === 0 &&
      this.#holds.isFree &&
      this.#output.bytes === 0 &&
      this.#input.incompleteBytes === 0;
    if (isAtRest) this.#lingerMs = REST_LINGER_MS;
    this.finish();
  }

  closeNow(): void {
    if (this.#phase === CLOSED) return;
    this.socketClosed();
    this.#socket.terminate();
  }

  // What the listener calls.

  socketData(chunk: Buffer): void {
    this.bytesIn += chunk.length;
    this.#options.counters.bytesIn += chunk.length;
    if (this.#phase !== OPEN) return;
    loopTurns.enter("socket");
    this.#stillness.came(chunk.length);
    this.#input.feed(chunk);
    this.#turn();
  }

  socketDrained(): void {
    this.#output.drained();
  }

  socketEnded(): void {
    this.#hasPeerEnded = true;
    if (this.#phase === LINGERING) this.#socket.end();
    else this.#turn();
  }

  socketClosed(): void {
    if (this.#phase === CLOSED) return;
    this.#phase = CLOSED;
    this.#input.close();
    frameTurns.remove(this);
    this.#responseMemory?.account.close();
    this.#output.clear();
    this.#linger?.cancel();
    this.#options.idle.unwatch(this);
    this.#options.closed(this);
    this.#options.handler.close(this);
  }

  failed(error: unknown): void {
    this.#options.counters.faults += 1;
    this.#options.log.error("a connection was closed after an error", {
      address: this.remoteAddress,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    this.closeNow();
  }

  memoryCame(): void {
    this.#unhold(Hold.MEMORY);
  }

  outputReady(): void {
    loopTurns.enter("socket");
    this.#turn();
  }

  turnCame(): void {
    if (!this.#holds.has(Hold.TURN)) return;
    this.#holds.remove(Hold.TURN);
    this.#isTurnGranted = true;
    loopTurns.enter("socket");
    this.#turn();
  }

  turnSpent(): boolean {
    if (this.#phase !== OPEN || !this.#holds.isFree) return false;
    this.#hold(Hold.TURN);
    return true;
  }

  cutForMemory(heldBytes: number): void {
    this.#options.counters.cutForMemory += 1;
    this.#options.cutHosts.record(this.remoteHost);
    this.#options.cutForMemory(this.remoteAddress, heldBytes);
    this.closeNow();
  }

  tick(): void {
    if (this.#phase >= LINGERING) return;
    if (this.#waitsForUs()) this.#stillness.pass();
    if (!this.#stillness.isOver) return;
    this.#options.counters.cutIdle += 1;
    this.#options.log.debug("an idle connection is closed", { address: this.remoteAddress });
    if (this.#output.bytes > 0 || this.#input.incompleteBytes > 0) this.closeNow();
    else this.finish();
  }

  #waitAfterCut(): void {
    const waitMs = this.#options.cutHosts.waitMs(this.remoteHost, this.id);
    if (waitMs === 0) return;
    this.#hold(Hold.COMEBACK);
    this.#options.clock.after(waitMs, () => this.#unhold(Hold.COMEBACK));
  }

  #waitsForUs(): boolean {
    if (this.#output.isWaiting) return true;
    if (this.#output.bytes > 0) return false;
    if (this.#holds.has(Hold.HANDLER) || this.#holds.has(Hold.MEMORY) || this.#holds.has(Hold.TURN))
      return true;
    return this.#outstanding > 0 && this.#input.incompleteBytes === 0;
  }

  /** Delivers the frames that are there, then sends what was written meanwhile. */
  #turn(): void {
    if (this.#isInTurn || this.#phase === CLOSED) return;
    this.#isInTurn = true;
    try {
      if (this.#phase === OPEN) this.#deliver();
    } catch (error) {
      this.failed(error);
    }
    this.#isInTurn = false;
    this.#flush();
    this.#applyHolds();
    if (this.#phase !== OPEN) return;
    this.#input.keepRest();
    this.#recordStanding();
  }

  /** Frames that are long take many turns: in one that is spent the socket is not even read. */
  #recordStanding(): void {
    const standing = this.#input.isLong ? Standing.LONG : this.frames === 0 ? Standing.NEW : Standing.SHORT;
    if (standing === this.#standing) return;
    this.#standing = standing;
    if (standing === Standing.LONG) frameTurns.addLong(this);
    else frameTurns.remove(this);
  }

  #deliver(): void {
    const { handler, counters } = this.#options;
    const framesBefore = this.frames;
    let hasViolated = false;
    let step: Step = Step.FRAME;
    while (this.#holds.isFree && this.#phase === OPEN) {
      if (frameTurns.isSpent(this) && !this.#isTurnGranted) {
        this.#hold(Hold.TURN);
        frameTurns.wait(this);
        break;
      }
      this.#isTurnGranted = false;
      step = this.#input.next();
      if (step === Step.FRAME) {
        this.frames += 1;
        handler.frame(this, this.#input.buffer, this.#input.position, this.#input.end);
      } else if (step === Step.NEED_BYTES) break;
      else if (step === Step.GROW) this.#hold(Hold.MEMORY);
      else {
        hasViolated = true;
        this.#violation(step, this.#input.refusedBytes);
      }
    }
    if (this.frames > framesBefore) {
      counters.frames += this.frames - framesBefore;
      this.#stillness.end();
    }
    if (this.frames > framesBefore || hasViolated) handler.turnEnd(this);
    if (step === Step.NEED_BYTES && this.#hasPeerEnded && this.#phase === OPEN) {
      handler.end(this, this.#input.incompleteBytes);
      this.finish();
    }
  }

  #violation(step: Step, lengthBytes: number): void {
    const kind = violationOf(step);
    this.#options.counters.violations += 1;
    this.#options.handler.violation(this, kind, lengthBytes);
    if (kind !== "empty") this.finish();
  }

  #flush(): void {
    if (this.#phase > FINISHING) return;
    const takenBytes = this.#output.flush();
    if (takenBytes < 0) {
      // Only the write shows it: no event comes for a paused socket whose peer is gone.
      this.closeNow();
      return;
    }
    if (takenBytes > 0) {
      this.#stillness.end();
      this.#options.handler.written(this);
    }
    if (this.#output.isTooMuch) {
      this.#output.reportCut();
      this.closeNow();
    } else if (this.#output.isHigh) this.#hold(Hold.OUTPUT);
    else if (this.#output.isLow) this.#unhold(Hold.OUTPUT);
    this.#output.restIfInterrupted();
    if (this.#phase === FINISHING && this.#outstanding === 0 && this.#output.bytes === 0) this.#startLinger();
  }

  #startLinger(): void {
    this.#phase = LINGERING;
    this.#linger = this.#options.clock.after(this.#lingerMs, () => this.#endLinger());
    if (this.#hasPeerEnded) this.#socket.end();
    else this.#socket.shutdown();
  }

  /** What the system has taken still reaches the peer. */
  #endLinger(): void {
    this.socketClosed();
    this.#socket.end();
  }

  #hold(reason: Hold): void {
    if (this.#phase !== OPEN) return;
    this.#holds.add(reason);
    if (!this.#isInTurn) this.#applyHolds();
  }

  #unhold(reason: Hold): void {
    if (this.#holds.remove(reason)) this.#schedule();
  }

  #applyHolds(): void {
    if (this.#phase !== CLOSED) this.#holds.apply();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#phase === CLOSED) return;
    this.#isScheduled = true;
    queueMicrotask(this.#scheduledTurn);
  }
}
