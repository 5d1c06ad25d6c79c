/**
 * What is said in a run: each text is different, some are short and some long. A history keeps only their names, since it
 * lives as long as the run does.
 */

/**
 * So long that what a chat process keeps of a room in memory, up to 2 MiB, is full before minute 4: until then memory grows
 * as it should.
 */
const longest = 5000;

export const nameOf = (number: number) => `message ${number}`;

export function textOf(number: number): string {
  return `${nameOf(number)} `.padEnd((number * 7919) % longest, 'the quick brown fox jumps over the lazy dog ');
}

/** The name of a text that is whole; all of it otherwise. */
export function named(content: string): string {
  const number = /^message (\d+) /.exec(content)?.[1];
  return number !== undefined && content === textOf(Number(number)) ? nameOf(Number(number)) : content;
}
