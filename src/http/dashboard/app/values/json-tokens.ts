/** JSON cut into what is coloured alike. The parts, put together, are the text again. */

export type JsonToken = readonly [kind: "name" | "string" | "number" | "word" | "rest", text: string];

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|\b(true|false|null)\b/g;

export function jsonTokens(json: string): JsonToken[] {
  const tokens: JsonToken[] = [];
  let end = 0;
  for (const match of json.matchAll(TOKEN)) {
    if (match.index > end) tokens.push(["rest", json.slice(end, match.index)]);
    const [whole, string, colon, number] = match;
    if (string !== undefined) {
      tokens.push([colon === undefined ? "string" : "name", string]);
      if (colon !== undefined) tokens.push(["rest", colon]);
    } else tokens.push([number === undefined ? "word" : "number", whole]);
    end = match.index + whole.length;
  }
  if (end < json.length) tokens.push(["rest", json.slice(end)]);
  return tokens;
}
