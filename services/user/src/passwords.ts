/** Passwords as argon2id hashes, made a few at a time: a flood of sign-ins costs its sender's turn, not the process. */
import { availableParallelism } from 'node:os';
import { hash, parseOptions, verify } from '@node-rs/argon2';
import { FairQueue } from './fair-queue.ts';

/** RFC 9106 and OWASP: with 19 MiB, two passes in one lane. */
const timeCost = 2;
const parallelism = 1;

/** Half of the cores, and of libuv's four threads: files and names must still be looked up. */
const atOnce = Math.max(1, Math.min(2, Math.floor(availableParallelism() / 2)));

/**
 * UTF-16 units of a password that may be right: composed differently, one that `rules.password` allows (256 characters)
 * has up to four times as many. What is longer is nobody's, and normalizing it would stop the process for as long as it takes.
 */
const longestUnits = 4 * 256;

/** Whose turn a hash is: by address, so that a flood waits behind itself. */
export interface Turn {
  address: string;
  signal: AbortSignal;
}

export class Passwords {
  readonly #options: { memoryCost: number; timeCost: number; parallelism: number };
  readonly #queue = new FairQueue({ atOnce, longestPerKey: 100, longest: 1000 });
  #nobodys: Promise<string> | undefined;

  constructor(memoryKib: number) {
    this.#options = { memoryCost: memoryKib, timeCost, parallelism };
  }

  /** @throws AppError RESOURCE_EXHAUSTED where too many wait. */
  hash(password: string, turn: Turn): Promise<string> {
    return this.#queue.run(turn.address, turn.signal, () => hash(normal(password), this.#options));
  }

  /**
   * Whether the password is right. It takes the same time where there is no hash, so that nobody learns who exists, and
   * where the password is too long to be anybody's.
   * @throws AppError RESOURCE_EXHAUSTED where too many wait.
   */
  async verify(hashed: string | undefined, password: string, turn: Turn): Promise<boolean> {
    if (password.length > longestUnits) return this.verify(undefined, 'too long', turn);
    // A hash that no password is known to have.
    this.#nobodys ??= hash(crypto.getRandomValues(new Uint8Array(32)), this.#options);
    const expected = hashed ?? (await this.#nobodys);
    const right = await this.#queue.run(turn.address, turn.signal, () => verify(expected, normal(password)));
    return right && hashed !== undefined;
  }

  /** Whether a hash was made at another cost than the one that is set now. */
  isOutdated(hashed: string): boolean {
    const { memoryCost, timeCost: passes } = parseOptions(hashed);
    return memoryCost !== this.#options.memoryCost || passes !== timeCost;
  }
}

/** Keyboards differ in how they compose characters (NIST SP 800-63B). */
const normal = (password: string): string => password.normalize('NFKC');
