import { connectivityState, experimental, type status } from '@grpc/grpc-js';
import type { BalancerOptions } from './balancer-config.ts';
import { longCallMs, Outlier, verdict } from './outlier.ts';

/** What a child tells its balancer. */
export interface ChildOwner {
  readonly options: BalancerOptions;
  readonly helper: experimental.ChannelControlHelper;
  /** The child was connected or disconnected. */
  connectionChanged(child: Child): void;
  /** May this child be taken out too? */
  mayEject(child: Child): boolean;
  /** The child was taken out or came back in. */
  ejectionChanged(child: Child, ejectedForMs: number): void;
  /** The child is waiting for its trial call. */
  trialDue(child: Child): void;
}

/** One endpoint of the balancer: its connection, kept by grpc-js's pick_first, and its record of failures. */
export class Child {
  readonly id: string;
  state: connectivityState = connectivityState.IDLE;
  lastError = '';
  readonly #owner: ChildOwner;
  readonly #leaf: experimental.LeafLoadBalancer;
  readonly #outlier = new Outlier();
  #timer: NodeJS.Timeout | undefined;
  /** When the first call was sent of those that came after the last answer. */
  #unansweredSince: number | undefined;

  constructor(id: string, endpoint: experimental.Endpoint, owner: ChildOwner, args: object, note: string) {
    this.id = id;
    this.#owner = owner;
    const helper = experimental.createChildChannelControlHelper(owner.helper, {
      updateState: (state, _picker, error) => {
        this.state = state;
        this.lastError = error ?? this.lastError;
        owner.connectionChanged(this);
        if (this.ready && this.#outlier.state === 'trial') owner.trialDue(this);
      },
    });
    this.#leaf = new experimental.LeafLoadBalancer(endpoint, helper, args, note);
  }

  get ready(): boolean {
    return this.state === connectivityState.READY;
  }

  /** May calls go here as a matter of course? */
  get usable(): boolean {
    return this.ready && this.#outlier.state === 'in';
  }

  get ejected(): boolean {
    return this.#outlier.state !== 'in';
  }

  connect(): void {
    this.#leaf.startConnecting();
  }

  reconnect(): void {
    this.#leaf.exitIdle();
  }

  /** Takes over other addresses of the same endpoint; a connection to one that stays is kept. */
  update(endpoint: experimental.Endpoint, args: object): void {
    const same = experimental.endpointToString(endpoint) === experimental.endpointToString(this.#leaf.getEndpoint());
    if (!same) this.#leaf.updateEndpoint(endpoint, args);
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.#leaf.destroy();
  }

  /** The connection for one call, with an ear on how the call ends. */
  pick(args: experimental.PickArgs): experimental.PickResult {
    const result = this.#leaf.getPicker().pick(args);
    if (result.pickResultType !== experimental.PickResultType.COMPLETE) return result;
    const began = performance.now();
    this.#unansweredSince ??= began;
    if (this.#outlier.state === 'trial') this.#after(longCallMs, () => this.#trialUndecided());
    const { pickResultType, subchannel, status, onCallStarted } = result;
    const onCallEnded = (code: status) => this.#callEnded(code, began);
    return { pickResultType, subchannel, status, onCallStarted, onCallEnded };
  }

  #callEnded(code: status, began: number): void {
    const now = performance.now();
    const said = verdict(code, now - began, now - (this.#unansweredSince ?? now));
    if (said === 'answered') this.#unansweredSince = undefined;
    if (said === 'failed') {
      this.#failed(now);
    } else if (said === 'nothing') {
      // A trial is still due.
      if (this.#outlier.state === 'trial' && this.ready) this.#owner.trialDue(this);
    } else if (this.#outlier.succeeded(now)) {
      clearTimeout(this.#timer);
      this.#owner.ejectionChanged(this, 0);
    }
  }

  #failed(now: number): void {
    const ms = this.#outlier.failed(this.#owner.options, this.#owner.mayEject(this), now);
    if (ms === 0) return;
    // Up to a tenth more, so that a fleet of clients does not come back for its trials all at once.
    this.#after(ms * (1 + Math.random() / 10), () => {
      this.#outlier.timeServed();
      if (this.ready) this.#owner.trialDue(this);
    });
    this.#owner.ejectionChanged(this, ms);
  }

  /** A long stream says nothing while it is well: after a while without an answer the endpoint is back in, on probation. */
  #trialUndecided(): void {
    if (this.#outlier.undecided(this.#owner.options, performance.now())) this.#owner.ejectionChanged(this, 0);
  }

  #after(ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, ms).unref();
  }
}
