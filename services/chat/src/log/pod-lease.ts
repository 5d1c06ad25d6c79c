/**
 * Presence is a lease per pod: the store keeps when each ends, and anybody takes the members of an ended one away.
 * A pod that comes back after its lease has ended (it was paused, or cut off) is another pod: under its old name its
 * members may be half swept away.
 */
import { newEpoch } from './codec.ts';

export const leaseMs = 12_000;
/** How long the members of a pod that goes have to turn up elsewhere. */
export const finalLeaseMs = 5_000;
/** By this pod's clock it is over a little earlier than by the store's: a command may be on its way for a second. */
const ownLeaseMs = leaseMs - 1_500;

export interface LeaseStore {
  /** Notes a new pod. */
  begin(pod: string, ttlMs: number, streams: number): Promise<void>;
  /** False when the pod's lease has ended. */
  extend(pod: string, ttlMs: number, streams: number): Promise<boolean>;
}

export class PodLease {
  readonly #store: LeaseStore;
  #pod: string | undefined;
  #validUntil = 0;
  #lapsed = false;
  #streams = 0;
  #beginning: Promise<string> | undefined;

  constructor(store: LeaseStore) {
    this.#store = store;
  }

  /** The name under which members are entered now. Begins a lease where there is none. */
  async pod(): Promise<string> {
    if (this.#pod !== undefined && performance.now() < this.#validUntil) return this.#pod;
    this.#beginning ??= this.#begin().finally(() => {
      this.#beginning = undefined;
    });
    return this.#beginning;
  }

  /** The name under which members were entered last, even when its lease has ended. */
  get current(): string | undefined {
    return this.#pod;
  }

  /** @returns lapsed: this pod's members were, or will be, taken away: enter them again. */
  async renew(final: boolean, streams = this.#streams): Promise<{ lapsed: boolean }> {
    this.#streams = streams;
    if (this.#pod !== undefined && performance.now() < this.#validUntil) {
      const sentAt = performance.now();
      const extended = await this.#store.extend(this.#pod, final ? finalLeaseMs : leaseMs, streams);
      if (extended) this.#validUntil = sentAt + ownLeaseMs;
      else this.#validUntil = 0;
    }
    if (!final) await this.pod();
    const lapsed = this.#lapsed;
    this.#lapsed = false;
    return { lapsed };
  }

  async #begin(): Promise<string> {
    const pod = newEpoch();
    const sentAt = performance.now();
    await this.#store.begin(pod, leaseMs, this.#streams);
    if (this.#pod !== undefined) this.#lapsed = true;
    this.#pod = pod;
    this.#validUntil = sentAt + ownLeaseMs;
    return pod;
  }
}
