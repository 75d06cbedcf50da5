/**
 * What a protocol does with the frames of its connections. One handler serves all connections of a listener; what it keeps
 * of one connection is the `State` that `open` returns (`connection.state` afterwards).
 *
 *     open -> (frame | violation)* turnEnd -> ... -> end? -> close
 *
 *   - `frame`: the body is `buffer[position, end)`, lent for the call: what must live longer is copied. A body of more than
 *     64 KiB is counted in the memory budget until the handler calls `connection.releaseFrame(end - position)`, once.
 *   - `turnEnd`: the last frame that is there for now has been handled. Work that is better done for many goes here.
 *   - Each response that will come later is announced by `connection.expectResponses(n)` and, after it was written, ended by
 *     `connection.responded(n)`. A connection with outstanding requests is not idle, and is not closed before their responses.
 *   - The callbacks run in the event loop's turn that brought the bytes; they must not block. One that throws loses its
 *     connection, and the listener logs it.
 */

import type { ByteSource } from "../base/byte-source.ts";
import type { MemoryAccount } from "../base/memory/memory-account.ts";
import type { Principal } from "../security/principal.ts";

export type FrameViolation =
  /** Length 0. The next frame can still be read. */
  | "empty"
  /** A length below 0 (big-endian only). The connection finishes. */
  | "negative"
  /** A length above the limit, or above the whole memory budget. The connection finishes. */
  | "too-large";

/** What a handler sees of a connection (connection.ts implements it). */
export interface FrameConnection<State> {
  readonly id: number;
  /** The peer's host, as memory is shared by. */
  readonly remoteHost: string;
  /** "127.0.0.1:50716" or "[::1]:50716". */
  readonly remoteAddress: string;
  /** Our end: the address that the peer connected to, without the port. */
  readonly localHost: string;
  /** Who the peer is. Anonymous when `open` is called; whoever authenticates it sets this, before the first frame that it applies to. */
  principal: Principal;
  readonly state: State;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Frames delivered so far. */
  readonly frames: number;
  readonly isOpen: boolean;
  /** Whether what is written can still reach the peer. */
  readonly isWritable: boolean;
  /** Bytes written by the handler that the system has not taken yet. */
  readonly outputBytes: number;
  /** Those of them that are held in memory. */
  readonly heldOutputBytes: number;
  readonly outstanding: number;
  /** Where the memory of large responses is reserved before they are built. It is closed with the connection. */
  readonly responseMemory: MemoryAccount;
  /** Queues bytes in order; a buffer belongs to the connection from now on. Nothing happens when it is closed. */
  write(part: Buffer | ByteSource): void;
  expectResponses(count: number): void;
  responded(count: number): void;
  /** Gives back the memory of a frame that `frame` received. May be called for every frame: small ones hold none. */
  releaseFrame(frameBytes: number): void;
  /** No further frame is delivered until `resumeInput`, not even one that has come already. */
  pauseInput(): void;
  /** Frames go on, in a later turn. */
  resumeInput(): void;
  /** Takes no more frames, waits for outstanding responses, writes everything, closes. */
  finish(): void;
  /** Closes at once; unsent output is lost. */
  closeNow(): void;
  /** Closes at once because of a bug of ours, and logs it. */
  failed(error: unknown): void;
}

export interface FrameHandler<State> {
  /** A connection was accepted. May write. */
  open(connection: FrameConnection<State>): State;
  frame(connection: FrameConnection<State>, buffer: Buffer, position: number, end: number): void;
  turnEnd(connection: FrameConnection<State>): void;
  /** `lengthBytes` is the length that the peer claimed. After "negative" and "too-large" the connection finishes by itself. */
  violation(connection: FrameConnection<State>, kind: FrameViolation, lengthBytes: number): void;
  /**
   * The peer sends no more, and left `incompleteBytes` of a frame that never became whole (0: it ended between frames). It may
   * still read. The connection finishes by itself: after this call it waits for the responses that are expected, then closes.
   */
  end(connection: FrameConnection<State>, incompleteBytes: number): void;
  /** Whether the input is held only because the peer itself wants to wait (a long poll). Called when memory is short. */
  isPeerWaiting(connection: FrameConnection<State>): boolean;
  /** The system has taken bytes of what was written. */
  written(connection: FrameConnection<State>): void;
  /** The connection is gone, for whatever reason; nothing can be written any more. Called once. */
  close(connection: FrameConnection<State>): void;
}
