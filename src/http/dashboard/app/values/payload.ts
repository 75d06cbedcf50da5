/**
 * A key or a value as the API tells it, made into what is shown: JSON set out in lines, text, or bytes in hex. What is long is cut to
 * what can be shown at once; the whole can be copied and downloaded.
 */

export type PayloadKind = "null" | "empty" | "json" | "text" | "binary";

export interface Payload {
  readonly kind: PayloadKind;
  /** As it is: what is copied. */
  readonly raw: string;
  readonly bytes: number;
}

/** Characters of a preview: more than a wide window shows in one line. */
const PREVIEW_CHARACTERS = 400;
/** Bytes of a line of hex. */
const LINE_BYTES = 16;

export function payloadOf(text: string | null, isBase64 = false): Payload {
  if (text === null) return { kind: "null", raw: "", bytes: 0 };
  if (isBase64) return { kind: "binary", raw: text, bytes: base64Bytes(text) };
  if (text === "") return { kind: "empty", raw: text, bytes: 0 };
  return { kind: looksLikeJson(text) ? "json" : "text", raw: text, bytes: utf8Bytes(text) };
}

/** The beginning, in one line. */
export function previewOf({ kind, raw, bytes }: Payload): string {
  if (kind === "binary") return hexOf(raw, 24).slice(0, PREVIEW_CHARACTERS) + (bytes > 24 ? " …" : "");
  return raw.length > PREVIEW_CHARACTERS ? `${raw.slice(0, PREVIEW_CHARACTERS)}…` : raw;
}

/** JSON in lines; as it is when it is none, or says a number that would not come back the same. */
export function prettyOf(raw: string): string {
  try {
    const value: unknown = JSON.parse(raw);
    return hasLostDigits(raw) ? raw : JSON.stringify(value, null, 2);
  } catch {
    return raw;
  }
}

/** Bytes as two digits each, separated by blanks. */
function hexOf(base64: string, bytesMax: number): string {
  return Array.from(bytesOf(base64, bytesMax), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Lines of offset, bytes and letters, as hexdump prints them. */
export function hexLines(base64: string, bytesMax: number): string {
  const bytes = bytesOf(base64, bytesMax);
  const lines: string[] = [];
  for (let position = 0; position < bytes.length; position += LINE_BYTES) {
    const line = [...bytes.subarray(position, position + LINE_BYTES)];
    const hex = line.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const letters = line.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${position.toString(16).padStart(6, "0")}  ${hex.padEnd(LINE_BYTES * 3)} ${letters}`);
  }
  return lines.join("\n");
}

function bytesOf(base64: string, bytesMax: number): Uint8Array {
  const characters = Math.ceil(bytesMax / 3) * 4;
  const text = atob(base64.slice(0, characters));
  return Uint8Array.from(text.slice(0, bytesMax), (character) => character.charCodeAt(0));
}

function base64Bytes(base64: string): number {
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  return (base64.length / 4) * 3 - padding;
}

function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** An object or a list: a bare number or word is shown as the text that it is. */
function looksLikeJson(text: string): boolean {
  const first = text.trimStart()[0];
  if (first !== "{" && first !== "[") return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Whole numbers of 16 digits and more: some of them JavaScript cannot keep. */
function hasLostDigits(raw: string): boolean {
  return /[:[,\s]-?\d{16,}/.test(raw);
}
