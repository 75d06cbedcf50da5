/** What the attacks by one request share: a topic of many partitions, and the request itself. */

import type { Stage } from "./attack.ts";
import { createFrame } from "./frames.ts";
import type { Heard } from "./peer.ts";

export const WIDE = "wide";
export const GROUP = "a-group";

/** A topic of so many partitions. */
export async function prepareWide(stage: Stage, partitions: number): Promise<void> {
  const peer = await stage.kafka();
  await peer.request(createFrame(WIDE, partitions), 60_000);
  peer.close();
}

/** Sends one request and returns its outcome. */
export async function requestOnce(stage: Stage, request: Buffer): Promise<Heard> {
  const peer = await stage.kafka();
  stage.facts["requestBytes"] = request.length;
  const startedAt = performance.now();
  const heard = await peer.request(request, stage.responseMsMax);
  stage.facts["outcome"] = heard.kind;
  stage.facts["responseMs"] = Math.round(performance.now() - startedAt);
  if (heard.kind === "response") stage.facts["responseBytes"] = heard.bytes;
  // No response at all is the one outcome that no refusal explains.
  stage.expect(heard.kind !== "silence", "the request had no response");
  return heard;
}
