/** "Did you mean": the known word that takes the fewest single-letter changes to reach. */

/** The nearest of `known` when it is near enough to be a typo, else undefined. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const distanceMax = word.length < 4 ? 1 : Math.max(SWAPPED_LETTERS, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = distanceMax + 1;
  for (const candidate of known) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Two letters in the wrong order: the commonest typo, and two changes. */
const SWAPPED_LETTERS = 2;

/** Levenshtein's distance: letters to insert, remove or replace. O(a * b) for names; not for long texts. */
export function editDistance(source: string, target: string): number {
  let row = Array.from({ length: target.length + 1 }, (_, index) => index);
  for (let i = 1; i <= source.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= target.length; j += 1) {
      const replaced = row[j - 1]! + (source[i - 1] === target[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[target.length]!;
}
