import { isApiError } from './api-error.ts';
import type { ApiClient } from './client.ts';
import { failureLevel, type Logger, silent } from './log.ts';
import type { Metrics } from './metrics.ts';
import { collectionPath, objectPath, type ResourceType } from './resource.ts';
import { monotonicMs, pause } from './timing.ts';

export const LEASES: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

interface Lease {
  metadata: { name: string; namespace: string; resourceVersion?: string };
  spec: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

/** Thrown by a write of a process that no longer leads. */
export class LeadershipLost extends Error {
  override readonly name = 'LeadershipLost';
}

/** The time in which this process leads. */
export interface Term {
  /**
   * The Lease's leaseTransitions: every leader's is higher than that of the one before. Goes with each write to what
   * Kubernetes does not guard.
   */
  readonly fence: number;
  /** Aborts when leading ends, however it ends. */
  readonly signal: AbortSignal;
  /**
   * Called right before each write; give it to `ApiClient.fenced`. The deadline is of a clock that goes on while the
   * process is stopped, so one that wakes from SIGSTOP finds that it no longer leads before any timer has told it.
   * @throws LeadershipLost once the renew deadline has passed
   */
  check(): void;
  /**
   * Makes the fence at least `fence`, by a write to the Lease that only its holder can make. For a Lease that was
   * deleted, and so counts from the start, while others remember higher fences.
   */
  raiseFence(fence: number): Promise<void>;
}

export interface ElectionOptions {
  client: ApiClient;
  namespace: string;
  /** The Lease. */
  name: string;
  /** Who this is; no two processes may have the same, not even one after the other. */
  identity: string;
  leaseMs?: number;
  /** How long after its last renewal a leader goes on; below `leaseMs` by more than clocks drift in that time. */
  renewDeadlineMs?: number;
  retryMs?: number;
  /** How long the work may take to end before the Lease is given back. */
  stopMs?: number;
  log?: Logger;
  metrics?: Metrics;
}

/**
 * Stands for election until the signal aborts, and runs `work` whenever this process leads. `work` must end when its
 * term's signal aborts; then the Lease is given back, so that another need not wait for its end. A leader that lost
 * the Lease stands again.
 */
export async function runElected(
  options: ElectionOptions,
  signal: AbortSignal,
  work: (term: Term) => Promise<void>,
): Promise<void> {
  const election = new Election(options);
  // From the start, so that an alert on `sum == 0` sees a standby that never led.
  options.metrics?.leader.set({ name: options.name }, 0);
  while (!signal.aborted) {
    if (await election.acquire(signal)) await election.lead(signal, work);
  }
}

/**
 * Takes the Lease from whoever holds it, for `leaseMs` (at least its renew deadline), and lets it run out. Its leader
 * finds out at its next renewal, and its fence is a lower one from now on.
 * @throws when the API server cannot be reached
 */
export async function seizeLease(
  options: Pick<ElectionOptions, 'client' | 'namespace' | 'name' | 'identity'> & { leaseMs: number },
  signal: AbortSignal,
): Promise<void> {
  const election = new Election({ ...options, renewDeadlineMs: options.leaseMs - 1 });
  for (;;) {
    try {
      await election.seize(signal);
      return;
    } catch (error) {
      // Its holder renewed it in between.
      if (!isApiError(error, 409)) throw error;
      signal.throwIfAborted();
    }
  }
}

class Election {
  readonly #options: ElectionOptions &
    Required<Pick<ElectionOptions, 'leaseMs' | 'renewDeadlineMs' | 'retryMs' | 'stopMs'>>;
  readonly #log: Logger;
  #lease: Lease | undefined;
  /** The last record seen of another holder, and when: his lease runs from then, by this process's clock. */
  #seen = { record: '', holder: '', atMs: 0 };
  #deadlineMs = 0;

  constructor(options: ElectionOptions) {
    this.#options = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000, stopMs: 5_000, ...options };
    this.#log = options.log ?? silent;
    if (this.#options.renewDeadlineMs >= this.#options.leaseMs) {
      throw new Error(
        `renewDeadlineMs is ${this.#options.renewDeadlineMs}; it must be below leaseMs, ${this.#options.leaseMs}`,
      );
    }
  }

  /** Tries until this process holds the Lease: true, or until the signal aborts: false. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    let failures = 0;
    while (!signal.aborted) {
      let waitMs = this.#options.retryMs * (0.8 + Math.random() * 0.2);
      try {
        const begun = monotonicMs();
        const lease = await this.#read(signal);
        const leftMs = this.#heldForMs(lease);
        if (leftMs <= 0) {
          await this.#write(this.#claim(lease), begun);
          return true;
        }
        waitMs = Math.min(waitMs, leftMs);
      } catch (error) {
        // A conflict means that another was faster; anything else that nobody leads, for want of a server or of a right.
        const rival = isApiError(error, 409);
        if (!rival) failures += 1;
        const level = rival ? 'debug' : failureLevel(failures);
        if (!signal.aborted) this.#log[level]({ failures, error: String(error) }, 'lease.not_acquired');
      }
      await pause(waitMs, signal);
    }
    return false;
  }

  /** Takes the Lease, whoever holds it. */
  async seize(signal: AbortSignal): Promise<void> {
    await this.#write(this.#claim(await this.#read(signal)), monotonicMs());
  }

  /** Leads: runs the work and renews beside it, until either ends. */
  async lead(signal: AbortSignal, work: (term: Term) => Promise<void>): Promise<void> {
    const { name, identity, metrics, stopMs } = this.#options;
    const ended = new AbortController();
    const stop = () => ended.abort(new LeadershipLost('the process is stopping'));
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const lease = () => this.#lease;
    const term: Term = {
      get fence() {
        return lease()?.spec.leaseTransitions ?? 0;
      },
      signal: ended.signal,
      check: () => this.#check(ended),
      raiseFence: (fence) => this.#raiseFence(fence, ended),
    };
    metrics?.leader.set({ name }, 1);
    this.#log.info({ lease: name, identity, fence: term.fence }, 'leader.started');
    const renewing = this.#renew(ended);
    const working = work(term)
      .catch((error) => this.#log.error({ error: String(error) }, 'leader.work_failed'))
      .finally(() => ended.abort(new LeadershipLost('the work ended')));
    await renewing;
    const quiet = new AbortController();
    const done = await Promise.race([working.then(() => true), pause(stopMs, quiet.signal).then(() => false)]);
    quiet.abort();
    signal.removeEventListener('abort', stop);
    metrics?.leader.set({ name }, 0);
    this.#log.info({ lease: name, identity, done, reason: String(ended.signal.reason) }, 'leader.stopped');
    // Work that has not ended may have a write under way: then the Lease runs out by itself.
    if (done) await this.#release();
    await working;
  }

  async #renew(ended: AbortController): Promise<void> {
    const { retryMs } = this.#options;
    while (!ended.signal.aborted) {
      await pause(Math.min(retryMs, Math.max(0, this.#deadlineMs - monotonicMs())), ended.signal);
      if (ended.signal.aborted) return;
      if (this.#late(ended)) return;
      const begun = monotonicMs();
      try {
        const lease = this.#lease!;
        // Never cut short: a renewal of which the answer is not known is a Lease that cannot be given back.
        await this.#write({ ...lease, spec: { ...lease.spec, renewTime: microTime() } }, begun);
      } catch (error) {
        if (ended.signal.aborted) return;
        this.#log.warn({ error: String(error) }, 'lease.not_renewed');
        if (isApiError(error, 409) || isApiError(error, 404)) await this.#reread(ended);
      }
    }
  }

  /** After a conflict: someone touched the Lease. If it still names this process, go on from its new version. */
  async #reread(ended: AbortController): Promise<void> {
    try {
      const lease = await this.#read(ended.signal);
      if (lease?.spec.holderIdentity === this.#options.identity) this.#lease = lease;
      else ended.abort(new LeadershipLost(`the Lease is held by ${lease?.spec.holderIdentity || 'nobody'}`));
    } catch (error) {
      this.#log.warn({ error: String(error) }, 'lease.not_read');
    }
  }

  #check(ended: AbortController): void {
    this.#late(ended);
    if (ended.signal.aborted) throw ended.signal.reason;
  }

  #late(ended: AbortController): boolean {
    if (monotonicMs() < this.#deadlineMs) return false;
    ended.abort(new LeadershipLost(`the Lease was not renewed for ${this.#options.renewDeadlineMs} ms`));
    return true;
  }

  async #raiseFence(fence: number, ended: AbortController): Promise<void> {
    this.#check(ended);
    const lease = this.#lease!;
    if ((lease.spec.leaseTransitions ?? 0) >= fence) return;
    const raised = { ...lease, spec: { ...lease.spec, leaseTransitions: fence, renewTime: microTime() } };
    await this.#write(raised, monotonicMs());
    this.#log.warn({ fence }, 'leader.fence_raised');
  }

  /** Milliseconds for which the Lease is another's. It counts from when this process saw it renewed: clocks differ. */
  #heldForMs(lease: Lease | undefined): number {
    const holder = lease?.spec.holderIdentity;
    if (!lease || !holder || holder === this.#options.identity) return 0;
    const record = `${holder} ${lease.spec.renewTime} ${lease.metadata.resourceVersion}`;
    // Once a holder: who waits for one that he does not know, as of another release here, can read why.
    if (holder !== this.#seen.holder) this.#log.info({ lease: this.#options.name, holder }, 'leader.another_leads');
    if (record !== this.#seen.record) this.#seen = { record, holder, atMs: monotonicMs() };
    const leaseMs = (lease.spec.leaseDurationSeconds ?? this.#options.leaseMs / 1000) * 1000;
    return this.#seen.atMs + leaseMs - monotonicMs();
  }

  #claim(lease: Lease | undefined): Lease {
    const { namespace, name, identity, leaseMs } = this.#options;
    const now = microTime();
    return {
      metadata: lease?.metadata ?? { name, namespace },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(leaseMs / 1000),
        acquireTime: now,
        renewTime: now,
        leaseTransitions: lease ? (lease.spec.leaseTransitions ?? 0) + 1 : 1,
      },
    };
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    const { client, retryMs } = this.#options;
    try {
      return await client.request<Lease>({ method: 'GET', path: this.#path(), timeoutMs: retryMs * 2, signal });
    } catch (error) {
      if (isApiError(error, 404)) return;
      throw error;
    }
  }

  /** Writes the Lease at the version it was read at. The deadline runs from before the request, not from its answer. */
  async #write(lease: Lease, begunMs: number): Promise<void> {
    const { client, namespace, retryMs, renewDeadlineMs } = this.#options;
    const create = lease.metadata.resourceVersion === undefined;
    this.#lease = await client.request<Lease>({
      method: create ? 'POST' : 'PUT',
      path: create ? collectionPath(LEASES, namespace) : this.#path(),
      body: { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...lease },
      timeoutMs: retryMs * 2,
    });
    this.#deadlineMs = begunMs + renewDeadlineMs;
  }

  async #release(): Promise<void> {
    const lease = this.#lease;
    // Once late it is no longer this process's to give: another may have it.
    if (!lease || monotonicMs() >= this.#deadlineMs) return;
    try {
      const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime() };
      await this.#write({ ...lease, spec }, monotonicMs());
    } catch (error) {
      this.#log.warn({ error: String(error) }, 'lease.not_released');
    } finally {
      this.#deadlineMs = 0;
    }
  }

  #path(): string {
    return objectPath(LEASES, this.#options);
  }
}

/** Now as Kubernetes' MicroTime. */
function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
