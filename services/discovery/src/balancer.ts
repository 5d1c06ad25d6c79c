import { connectivityState, experimental } from '@grpc/grpc-js';
import { BalancerConfig, type BalancerOptions, balancerName } from './balancer-config.ts';
import { Child, type ChildOwner } from './child.ts';
import type { WeightedBackend } from './endpoints.ts';
import { type Log, type Metrics, noMetrics, silentLog } from './observe.ts';
import { Rotation } from './rotation.ts';

/**
 * How a resolver passes weights to the balancer. grpc-js leaves attributes with this prefix out of a connection's
 * identity; without it every change of weights would reconnect everything.
 */
export const backendsAttribute = `${experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX}.parley.backends`;

/**
 * The balancer class to register as `parley_weighted`: smooth weighted round robin over backends, then over a backend's
 * connected endpoints; failing endpoints are ejected and tried again. Without weights from the resolver all endpoints
 * are one backend.
 */
export function weightedBalancer(log: Log = silentLog, metrics: Metrics = noMetrics) {
  const ejections = metrics.counter(
    'parley_discovery_ejections_total',
    'Endpoints taken out of the rotation because their calls failed.',
    ['backend'],
  );

  return class WeightedBalancer implements experimental.LoadBalancer, ChildOwner {
    readonly helper: experimental.ChannelControlHelper;
    options: BalancerOptions = new BalancerConfig().options;
    readonly #children = new Map<string, Child>();
    readonly #rotation = new Rotation<Child>((child) => child.usable);
    readonly #picker: experimental.Picker = { pick: (args) => this.#pick(args) };
    #backends: readonly Backend[] = [];
    #state: connectivityState = connectivityState.IDLE;
    #settled = false;
    #settling: NodeJS.Timeout | undefined;
    /** Why the resolver has no endpoints any more; what is connected stays in use, but nothing is dialled again. */
    #gone: string | undefined;
    #paused = false;

    constructor(helper: experimental.ChannelControlHelper) {
      this.helper = helper;
    }

    updateAddressList(
      list: experimental.StatusOr<experimental.Endpoint[]>,
      config: experimental.TypedLoadBalancingConfig,
      args: Record<string, unknown>,
      note: string,
    ): boolean {
      if (!(config instanceof BalancerConfig)) return false;
      this.options = config.options;
      if (!list.ok || list.value.length === 0) {
        this.#gone = list.ok ? `the resolver found no endpoints; ${note}` : list.error.details;
        this.#report();
        return true;
      }
      this.#gone = undefined;
      this.#backends = (args[backendsAttribute] as Backend[] | undefined) ?? [oneBackend(list.value)];
      // States change while children are made and dropped; they are reported once, at the end.
      this.#paused = true;
      this.#updateChildren(args, note);
      this.#rotation.update(
        this.#backends.map(({ name, weight, endpoints }) => ({
          name,
          weight,
          members: endpoints.map((endpoint) => ({ member: this.#children.get(endpoint.id)!, weight: endpoint.weight })),
        })),
      );
      this.#paused = false;
      // Some may have dropped while nothing was dialled.
      this.exitIdle();
      this.#report();
      return true;
    }

    #updateChildren(args: object, note: string): void {
      const wanted = new Map(this.#backends.flatMap(({ endpoints }) => endpoints.map((each) => [each.id, each])));
      for (const [id, child] of this.#children) {
        if (wanted.has(id)) continue;
        this.#children.delete(id);
        child.destroy();
      }
      const added: Child[] = [];
      for (const [id, { addresses }] of wanted) {
        const child = this.#children.get(id);
        if (child) {
          child.update({ addresses }, args);
        } else {
          const created = new Child(id, { addresses }, this, args, note);
          this.#children.set(id, created);
          added.push(created);
        }
      }
      // Every client would otherwise dial, and at first use, the same endpoint before all others.
      for (const child of shuffled(added)) child.connect();
    }

    connectionChanged(child: Child): void {
      // Anything that dropped is dialled again at once (with grpc-js's own backoff when that fails).
      if (child.state === connectivityState.IDLE && this.#gone === undefined) child.reconnect();
      this.#rotation.changed(child);
      this.#report();
    }

    mayEject(): boolean {
      const connected = [...this.#children.values()].filter((child) => child.ready || child.ejected);
      const out = connected.filter((child) => child.ejected).length;
      return (out + 1) * 100 <= connected.length * this.options.maxEjectedPercent;
    }

    ejectionChanged(child: Child, ejectedForMs: number): void {
      this.#rotation.changed(child);
      const backend = this.#backends.find(({ endpoints }) => endpoints.some(({ id }) => id === child.id))?.name ?? '';
      if (ejectedForMs === 0) {
        log.info({ backend, endpoint: child.id }, 'discovery.endpoint_restored');
      } else {
        ejections.inc({ backend });
        log.warn({ backend, endpoint: child.id, ejectedForMs }, 'discovery.endpoint_ejected');
      }
    }

    trialDue(child: Child): void {
      this.#rotation.tryOnce(child);
    }

    #pick(args: experimental.PickArgs): experimental.PickResult {
      for (;;) {
        const child = this.#rotation.pick() ?? this.#anyConnected();
        if (child === undefined) return new experimental.QueuePicker(this).pick(args);
        // A trial can have lost its connection since it was noted; it gets another one when it is back.
        if (child.ready) return child.pick(args);
      }
    }

    /** When all that are connected were ejected, one that fails now and then is better than none. */
    #anyConnected(): Child | undefined {
      const connected = [...this.#children.values()].filter((child) => child.ready);
      return connected[Math.floor(Math.random() * connected.length)];
    }

    #report(): void {
      if (!this.#paused) this.#become(this.#aggregate());
    }

    #aggregate(): connectivityState {
      const states = new Set([...this.#children.values()].map(({ state }) => state));
      const ready = states.has(connectivityState.READY);
      const pending = states.has(connectivityState.CONNECTING) || states.has(connectivityState.IDLE);
      if (ready && !pending) this.#settled = true;
      if (ready && this.#settled) return connectivityState.READY;
      if (ready) this.#settling ??= setTimeout(() => this.#settle(), this.options.settleMs).unref();
      const waiting = ready || (pending && this.#gone === undefined);
      return waiting ? connectivityState.CONNECTING : connectivityState.TRANSIENT_FAILURE;
    }

    #settle(): void {
      this.#settled = true;
      this.#report();
    }

    #become(state: connectivityState): void {
      // One picker serves for ever: it reads the rotation, so only a change of state has to be told.
      if (state === this.#state && state !== connectivityState.TRANSIENT_FAILURE) return;
      this.#state = state;
      if (state === connectivityState.TRANSIENT_FAILURE) {
        const details = this.#gone ?? this.#unreachable();
        this.helper.updateState(state, new experimental.UnavailablePicker({ details }), details);
      } else {
        const picker = state === connectivityState.READY ? this.#picker : new experimental.QueuePicker(this);
        this.helper.updateState(state, picker, null);
      }
    }

    #unreachable(): string {
      const last = [...this.#children.values()].find(({ lastError }) => lastError)?.lastError ?? 'none';
      return `none of ${this.#children.size} endpoints can be connected; the last error: ${last}`;
    }

    exitIdle(): void {
      for (const child of this.#children.values()) {
        if (child.state === connectivityState.IDLE && this.#gone === undefined) child.reconnect();
      }
    }

    resetBackoff(): void {}

    destroy(): void {
      clearTimeout(this.#settling);
      this.#paused = true;
      for (const child of this.#children.values()) child.destroy();
      this.#children.clear();
    }

    getTypeName(): string {
      return balancerName;
    }
  };
}

/** What the balancer needs of a backend; its addresses may be of any kind, also sockets' paths. */
type Backend = Omit<WeightedBackend, 'endpoints'> & {
  endpoints: { id: string; addresses: experimental.SubchannelAddress[]; weight: number }[];
};

function oneBackend(list: readonly experimental.Endpoint[]): Backend {
  const endpoints = list.map((endpoint) => ({
    id: experimental.endpointToString(endpoint),
    addresses: endpoint.addresses,
    weight: 1,
  }));
  return { name: '', weight: 1, endpoints };
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
