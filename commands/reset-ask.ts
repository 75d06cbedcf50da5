/** A question at the terminal, answered with a line. Anything but yes is no. */

/** Asks on standard error, so that standard output keeps only results. The end of the input is no. */
export async function askYesNo(question: string, input: ReadableStream<Uint8Array>): Promise<boolean> {
  process.stderr.write(`${question} [y/N] `);
  const reader = input.getReader();
  try {
    return isYes(await readLine(reader));
  } finally {
    reader.releaseLock();
  }
}

/** Whether an answer means yes. */
export function isYes(reply: string): boolean {
  return /^\s*y(es)?\s*$/i.test(reply);
}

/** Longer is not an answer. */
const REPLY_CHARACTERS_MAX = 1000;

async function readLine(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n") && text.length < REPLY_CHARACTERS_MAX) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  return text.split("\n")[0]!;
}
