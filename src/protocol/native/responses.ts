/**
 * The native protocol's responses: one line for each frame, in the order of the frames.
 *
 *     OK                        stored and on disk
 *     NACK:CORRUPTED            a length of zero, or a frame that the end of the stream cut off
 *     NACK:PROTOCOL_ERROR       longer than 10 MiB; the connection is closed after this line
 *     NACK:INVALID_FORMAT       the message does not decode
 *     NACK:PUBLISH_FAILED       the broker could not store it, or does not allow its topic's name
 *     NACK:TOO_MANY_CONNECTIONS the first and only line of a connection over the limit (not in the Go Obelisk)
 *
 * Numbers are ours, for queues and tables; on the wire there is only the text.
 */

export const NativeStatus = {
  OK: 0,
  CORRUPTED: 1,
  PROTOCOL_ERROR: 2,
  INVALID_FORMAT: 3,
  PUBLISH_FAILED: 4,
} as const;
export type NativeStatus = (typeof NativeStatus)[keyof typeof NativeStatus];

/** By `NativeStatus`, with the line's end. */
export const RESPONSE_LINES = [
  "OK\n",
  "NACK:CORRUPTED\n",
  "NACK:PROTOCOL_ERROR\n",
  "NACK:INVALID_FORMAT\n",
  "NACK:PUBLISH_FAILED\n",
] as const;

export const TOO_MANY_CONNECTIONS_LINE = "NACK:TOO_MANY_CONNECTIONS\n";
