/**
 * Text that somebody else chose, made harmless to the eye: control characters, and those that turn the direction of what follows or take
 * no room, are shown by their code. Line feeds and tabs stay where lines are shown. (To the browser it is harmless anyway: nothing here
 * turns text into markup.)
 */

const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** For one line: line feeds and tabs are shown by their code too. */
export function visibleText(text: string): string {
  return text.replace(HIDDEN, codeOf);
}

/** For several lines. */
export function visibleLines(text: string): string {
  return text.replace(HIDDEN, (character) =>
    character === "\n" || character === "\t" ? character : codeOf(character),
  );
}

function codeOf(character: string): string {
  const code = character.charCodeAt(0);
  if (code === 10) return "\\n";
  if (code === 9) return "\\t";
  if (code === 13) return "\\r";
  return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
