/** Colours, only where a person looks: not into pipes and files, and not with NO_COLOR (https://no-color.org). */

import { isTerminal } from "./output.ts";

export interface Colours {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

export function coloursFor(stream: "stdout" | "stderr"): Colours {
  const isOn = isTerminal(stream) && !process.env["NO_COLOR"];
  const paint = (start: number, end: number) => (text: string) =>
    isOn ? `\u001b[${start}m${text}\u001b[${end}m` : text;
  return {
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
  };
}
