/** What a run counted: how often which thing happened, and everything that should not have. */
import { isPassing } from '@parley/client';

const mostComplaints = 50;

export class Tally {
  readonly #counts = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  readonly #wrong = new Map<string, number>();
  readonly #say: (line: string) => void;

  /** @param say is told at once what is wrong, each once */
  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  add(what: string, count = 1): void {
    this.#counts.set(what, this.count(what) + count);
  }

  count(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** The counts whose names begin so: `chat feed.lost 2, order relay.failed 1` */
  startingWith(prefix: string): string {
    const found = [...this.#counts].filter(([what]) => what.startsWith(prefix));
    return found.map(([what, count]) => `${what.slice(prefix.length)} ${count}`).join(', ');
  }

  /** A call failed. That is wrong, but for codes that mean: try again. @returns whether it was one of those */
  failed(what: string, error: unknown): boolean {
    const { code = 'not an answer', message } = error as { code?: string; message?: string };
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
    if (isPassing(code)) return true;
    this.wrong(`${what} was answered ${code}: ${message}`);
    return false;
  }

  wrong(complaint: string): void {
    const before = this.#wrong.get(complaint) ?? 0;
    if (before === 0 && this.#wrong.size < mostComplaints) this.#say(`WRONG: ${complaint}`);
    this.#wrong.set(complaint, before + 1);
  }

  get complaints(): string[] {
    const all = [...this.#wrong].map(([complaint, count]) => (count > 1 ? `${complaint} (${count} times)` : complaint));
    const more = all.length - mostComplaints;
    return more > 0 ? [...all.slice(0, mostComplaints), `and ${more} more`] : all;
  }

  /** `UNAVAILABLE 12, DEADLINE_EXCEEDED 3` */
  get errors(): string {
    const most = [...this.#errors].sort(([, a], [, b]) => b - a);
    return most.map(([code, count]) => `${code} ${count}`).join(', ') || 'none';
  }
}
