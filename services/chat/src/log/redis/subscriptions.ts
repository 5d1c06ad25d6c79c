/**
 * The channels that this pod hears: over one connection, or in a cluster over one to each node that has some of them
 * (sharded Pub/Sub). Pub/Sub loses what is told while a connection is away, so that every new one says `uncertain`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { unavailable } from '@parley/kit';
import { Cluster, type Redis } from 'ioredis';
import { type Connection, createSubscriber, type RedisAddress, translate } from './connection.ts';
import { slotOf } from './slots.ts';

const heartbeatMs = 2_000;
const patienceMs = 1_000;
const checkSlotsMs = 1_000;
/** Slots are moved many at a time. */
const gatherMovedMs = 250;

export interface SubscriptionEvents {
  message(channel: string, payload: Buffer): void;
  /** Subscribed again: what was told in between is missed. */
  uncertain(channel: string): void;
}

/** One connection and its channels, with the slot of each in a cluster. */
interface Ear {
  redis: Redis;
  channels: Set<string>;
  ready: PromiseWithResolvers<void>;
  isReady: boolean;
  /** Runs when the server has taken channels from this connection, since their slots were moved. */
  moved?: NodeJS.Timeout;
}

export class Subscriptions implements AsyncDisposable {
  readonly #address: RedisAddress;
  readonly #connection: Connection;
  readonly #events: SubscriptionEvents;
  readonly #ears = new Map<string, Ear>();
  /** Where each channel is heard. */
  readonly #channels = new Map<string, { ear: string; slot: number; sharded: boolean }>();
  readonly #timers: NodeJS.Timeout[] = [];
  #isOver = false;

  constructor(address: RedisAddress, connection: Connection, events: SubscriptionEvents) {
    this.#address = address;
    this.#connection = connection;
    this.#events = events;
    this.#timers.push(setInterval(() => this.#beat(), heartbeatMs).unref());
    if (address.kind === 'cluster') this.#timers.push(setInterval(() => this.#followSlots(), checkSlotsMs).unref());
  }

  /** Resolves when the channel is heard. @throws AppError UNAVAILABLE when that takes too long. */
  async add(channel: string, sharded: boolean): Promise<void> {
    const slot = slotOf(channel);
    const name = this.#earOf(slot);
    this.#channels.set(channel, { ear: name, slot, sharded });
    const ear = this.#open(name);
    ear.channels.add(channel);
    try {
      if (!ear.isReady) await withPatience(ear.ready.promise);
      await (sharded ? ear.redis.ssubscribe(channel) : ear.redis.subscribe(channel));
    } catch (error) {
      this.#misplaced(name, channel);
      throw translate(error);
    }
  }

  remove(channel: string): void {
    const known = this.#channels.get(channel);
    this.#channels.delete(channel);
    if (known) this.#leave(known.ear, channel, known.sharded);
  }

  /** Whether everything that is to be heard is heard. */
  get complete(): boolean {
    return [...this.#ears.values()].every(({ isReady, channels }) => isReady || channels.size === 0);
  }

  #leave(name: string, channel: string, sharded: boolean): void {
    const ear = this.#ears.get(name);
    if (!ear?.channels.delete(channel) || !ear.isReady) return;
    const left = sharded ? ear.redis.sunsubscribe(channel) : ear.redis.unsubscribe(channel);
    left.catch(() => {}); // The connection broke: nothing is heard on it any more.
  }

  /** The node that has a slot, as `host:port`; one name for all without a cluster. */
  #earOf(slot: number): string {
    if (!(this.#connection instanceof Cluster)) return '';
    const node = this.#connection.slots[slot]?.[0];
    if (node === undefined) throw unavailable('the chat log cannot be reached: try again', 1000);
    return node;
  }

  #open(name: string): Ear {
    const known = this.#ears.get(name);
    if (known) return known;
    const colon = name.lastIndexOf(':');
    const node = name === '' ? undefined : { host: name.slice(0, colon), port: Number(name.slice(colon + 1)) };
    const redis = createSubscriber(this.#address, node);
    const ear: Ear = { redis, channels: new Set(), ready: Promise.withResolvers(), isReady: false };
    ear.ready.promise.catch(() => {});
    this.#ears.set(name, ear);
    let connectedBefore = false;
    redis.on('error', () => {}); // 'close' follows.
    redis.on('messageBuffer', (channel: Buffer, payload: Buffer) => this.#events.message(channel.toString(), payload));
    redis.on('smessageBuffer', (channel: Buffer, payload: Buffer) => this.#events.message(channel.toString(), payload));
    redis.on('moved', () => {
      ear.moved ??= setTimeout(() => {
        delete ear.moved;
        void this.#relocate(name, ear);
      }, gatherMovedMs).unref();
    });
    redis.on('close', () => {
      if (ear.isReady) ear.ready = Promise.withResolvers();
      ear.isReady = false;
    });
    redis.on('ready', async () => {
      const again = connectedBefore;
      connectedBefore = true;
      try {
        const channels = [...ear.channels];
        if (again) {
          for (let at = 0; at < channels.length; at += 500)
            await this.#resubscribe(name, ear, channels.slice(at, at + 500));
        }
        ear.isReady = true;
        ear.ready.resolve();
        if (again) for (const channel of channels) this.#events.uncertain(channel);
      } catch {
        redis.disconnect(true);
      }
    });
    redis.connect().catch(() => {}); // It tries again by itself.
    return ear;
  }

  async #resubscribe(name: string, ear: Ear, channels: string[]): Promise<void> {
    const wanted = channels.filter((channel) => ear.channels.has(channel));
    const isSharded = (channel: string) => this.#channels.get(channel)?.sharded ?? false;
    const plain = wanted.filter((channel) => !isSharded(channel));
    if (plain.length > 0) await ear.redis.subscribe(...plain);
    // Of one slot each: SSUBSCRIBE takes no channels of different ones.
    await Promise.all(
      wanted.filter(isSharded).map((channel) =>
        ear.redis.ssubscribe(channel).catch((error: Error) => {
          if (error.name !== 'ReplyError') throw error;
          // The node is there and has the slot no more: nothing that others on this connection should suffer for.
          this.#misplaced(name, channel);
        }),
      ),
    );
  }

  /** It is heard nowhere now: in a cluster the next look at the slots places it. */
  #misplaced(name: string, channel: string): void {
    if (this.#address.kind !== 'cluster') return;
    this.#ears.get(name)?.channels.delete(channel);
    const known = this.#channels.get(channel);
    if (known?.ear === name) this.#channels.set(channel, { ...known, ear: '' });
  }

  /**
   * Asks for something in the slot of each channel: the cluster's answer says where that is now, sooner than its nodes' gossip.
   * What is here after all, since its slot has come back, is subscribed to again.
   */
  async #relocate(name: string, ear: Ear): Promise<void> {
    const bySlot = new Map([...ear.channels].map((channel) => [slotOf(channel), channel]));
    await Promise.all([...bySlot.values()].map((channel) => this.#connection.exists(channel).catch(() => {})));
    if (this.#isOver) return;
    this.#followSlots();
    const channels = [...ear.channels];
    if (!ear.isReady || this.#ears.get(name) !== ear) return;
    await this.#resubscribe(name, ear, channels).catch(() => ear.redis.disconnect(true));
    for (const channel of channels) this.#events.uncertain(channel);
  }

  /** A silent connection is asked, so that a dead one is noticed (socketTimeout ends it). */
  #beat(): void {
    for (const { redis, isReady } of this.#ears.values()) if (isReady) redis.ping().catch(() => {});
  }

  /** Goes where the slots have gone: after a failover, or when they were moved. */
  #followSlots(): void {
    for (const [channel, known] of this.#channels) {
      try {
        const name = this.#earOf(known.slot);
        if (name === known.ear) continue;
        this.#leave(known.ear, channel, known.sharded);
        this.add(channel, known.sharded).then(
          () => this.#events.uncertain(channel),
          // As in #relocate, for the next look.
          () => this.#connection.exists(channel).catch(() => {}),
        );
      } catch {
        // The cluster does not know; the next look may.
      }
    }
    for (const [name, { channels, redis }] of this.#ears) {
      if (channels.size > 0) continue;
      this.#ears.delete(name);
      redis.disconnect();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const { redis, moved } of this.#ears.values()) {
      clearTimeout(moved);
      redis.disconnect();
    }
    this.#ears.clear();
    this.#channels.clear();
  }
}

async function withPatience(ready: Promise<void>): Promise<void> {
  const timer = new AbortController();
  await Promise.race([
    ready,
    sleep(patienceMs, undefined, { signal: timer.signal }).then(() => {
      throw unavailable('the chat log cannot be reached: try again', 1000);
    }),
  ]).finally(() => timer.abort());
}
