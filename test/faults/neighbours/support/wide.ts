/** What the attacks by one request share: a topic of many partitions, and the request itself. */

import type { Stage } from "./attack.ts";
import { createFrame } from "./frames.ts";
import type { Heard } from "./peer.ts";

export const WIDE = "wide";
export const GROUP = "a-group";

/** A topic of so many partitions. */
export async function prepareWide(stage: Stage, partitions: number): Promise<void> {
  const peer = await stage.kafka();
  await peer.ask(createFrame(WIDE, partitions), 60_000);
  peer.close();
}

/** Sends one request and says what became of it. */
export async function askOnce(stage: Stage, request: Buffer): Promise<Heard> {
  const peer = await stage.kafka();
  stage.facts["requestBytes"] = request.length;
  const startedAt = performance.now();
  const heard = await peer.ask(request, stage.responseMsMax);
  stage.facts["outcome"] = heard.kind;
  stage.facts["answerMs"] = Math.round(performance.now() - startedAt);
  if (heard.kind === "answer") stage.facts["answerBytes"] = heard.bytes;
  // Not hearing anything is the one outcome that no refusal explains.
  stage.expect(heard.kind !== "silence", "the request had no answer");
  return heard;
}
