/**
 * The overview, asked for as long as the page is open: each second where it is shown, else now and then, for the health that every view
 * shows and to notice that the broker is gone.
 */

import { effect, signal } from "@preact/signals";
import type { HistoryAnswer, OverviewAnswer } from "../api/answers.ts";
import { ask, Refusal } from "../api/ask.ts";
import { outage, returns } from "../api/broker.ts";
import { segments } from "../base/router.ts";
import { after } from "../base/time.ts";
import { type Sample, sampleOf, samplesOf, withSample } from "./samples.ts";

const SHOWN_MS = 1000;
const BESIDE_MS = 5000;

export const overview = signal<OverviewAnswer | null>(null);
export const samples = signal<readonly Sample[]>([]);

export function startOverview(): void {
  let cancel = () => {};
  const look = async () => {
    cancel();
    if (outage.value !== null) return;
    if (!document.hidden) await read();
    cancel = after(isShown() ? SHOWN_MS : BESIDE_MS, look);
  };
  // At the start, when the view is come to, and when the broker has come back, with what was missed.
  effect(() => {
    isShown();
    returns.value;
    void readHistory().then(look);
  });
}

function isShown(): boolean {
  return segments.value.length === 0;
}

async function read(): Promise<void> {
  try {
    const answer = await ask<OverviewAnswer>("/overview");
    overview.value = answer;
    samples.value = withSample(samples.value, sampleOf(answer));
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
  }
}

async function readHistory(): Promise<void> {
  try {
    samples.value = samplesOf(await ask<HistoryAnswer>("/overview/history"));
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
  }
}
