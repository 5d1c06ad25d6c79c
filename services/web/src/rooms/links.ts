/** Web addresses in what people say: the only part of a message that is more than text. */
export interface Piece {
  text: string;
  /** Where it leads; absent for plain text. */
  href?: string;
}

/** Only these two: `javascript:` and the like stay text. */
const address = /\bhttps?:\/\/[^\s<>"“”«»]+/gi;
/** What ends the sentence around an address, not the address. */
const sentenceEnd = /[.,;:!?'’…*_~]$/;
const brackets: Record<string, string> = { ')': '(', ']': '[', '}': '{' };

/** The text in pieces that make it up again, in their order. */
export function piecesOf(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(address)) {
    const found = trimmed(match[0]);
    if (!URL.canParse(found)) continue;
    if (match.index > at) pieces.push({ text: text.slice(at, match.index) });
    pieces.push({ text: found, href: found });
    at = match.index + found.length;
  }
  if (at < text.length) pieces.push({ text: text.slice(at) });
  return pieces;
}

/** `(see https://example.org/a_(b))` keeps its own bracket and leaves the sentence's. One look at each character. */
function trimmed(found: string): string {
  const seen = new Map<string, number>();
  for (const character of found) seen.set(character, (seen.get(character) ?? 0) + 1);
  const count = (character: string) => seen.get(character) ?? 0;
  let end = found.length;
  for (; ; end--) {
    const last = found[end - 1] ?? '';
    const opening = brackets[last];
    const isAround = opening !== undefined && count(last) > count(opening);
    if (!isAround && !sentenceEnd.test(last)) return found.slice(0, end);
    seen.set(last, count(last) - 1);
  }
}

/** Where a text leads: each address once, the first few of many. */
export function linksIn(text: string, most = 5): readonly string[] {
  return [...new Set(piecesOf(text).flatMap(({ href }) => href ?? []))].slice(0, most);
}
