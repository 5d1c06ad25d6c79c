/** A real Redis Cluster for tests: masters that share the slots, replicas of them, and what is done to one in operation. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { slotOf } from '../log/redis/slots.ts';
import { type RedisServer, type RedisSettings, startRedis, until } from './redis.ts';

export interface ClusterSettings extends RedisSettings {
  /** How many replicas each master has; 0 when absent. */
  replicas?: number;
}

export interface RedisCluster extends AsyncDisposable {
  /** `redis+cluster://…` */
  readonly url: string;
  readonly nodes: RedisServer[];
  /** The master that has a key now. */
  masterOf(key: string): Promise<RedisServer>;
  /** SIGKILL for the master of a key; resolves when a replica has taken its place, and it is back as a replica. */
  killMasterOf(key: string): Promise<void>;
  /** Lets a replica take over from the master of a key, which knows of it: nothing is lost by that. */
  failOver(key: string): Promise<void>;
  /** Moves the slot of a key to another master, as resharding does; half of it is there and half here for a while. */
  moveSlotOf(key: string, halfwayMs: number): Promise<void>;
}

/** Starts a cluster of masters that share the slots evenly; resolves when all of them say that it is well. */
export async function startRedisCluster(size = 3, settings: ClusterSettings = {}): Promise<RedisCluster> {
  const cluster = new Nodes();
  try {
    await cluster.start(size, settings);
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
  return cluster;
}

class Nodes implements RedisCluster {
  readonly nodes: RedisServer[] = [];
  readonly #clients = new Map<RedisServer, Redis>();
  url = '';

  async start(size: number, { replicas = 0, settings, ...more }: ClusterSettings): Promise<void> {
    const cluster = { 'cluster-enabled': 'yes', 'cluster-node-timeout': '2000', ...settings };
    for (let at = 0; at < size * (1 + replicas); at++) {
      const node = await startRedis({ ...more, settings: cluster });
      this.nodes.push(node);
      const client = new Redis(node.port, '127.0.0.1', { retryStrategy: () => 50, maxRetriesPerRequest: null });
      client.on('error', () => {}); // It was killed, and comes back.
      this.#clients.set(node, client);
    }
    this.url = `redis+cluster://${this.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
    const masters = this.nodes.slice(0, size);
    await Promise.all(
      masters.map(async (node, at) => {
        const from = Math.floor((16384 * at) / size);
        const to = Math.floor((16384 * (at + 1)) / size) - 1;
        await this.#ask(node, 'addslotsrange', from, to);
        await this.#ask(node, 'set-config-epoch', at + 1);
      }),
    );
    for (const { port } of this.nodes.slice(1)) await this.#ask(this.nodes[0]!, 'meet', '127.0.0.1', port);
    await this.#untilWell(size);
    for (const [at, replica] of this.nodes.slice(size).entries()) {
      const id = await this.#ask(masters[at % size]!, 'myid');
      // A node that has only just met others may not know the one yet.
      await until(() =>
        this.#ask(replica, 'replicate', id).then(
          () => true,
          () => false,
        ),
      );
      await this.#untilFollowing(replica);
    }
  }

  async masterOf(key: string): Promise<RedisServer> {
    const slot = slotOf(key);
    for (const node of this.nodes) {
      if (node.pid === undefined) continue;
      const mine = (await this.#lines(node)).find((line) => line.includes('myself,master'));
      if (mine && slotsIn(mine).some(([from, to]) => slot >= from && slot <= to)) return node;
    }
    throw new Error(`no master has ${key}`);
  }

  async killMasterOf(key: string): Promise<void> {
    const master = await this.masterOf(key);
    await master.kill();
    await until(() =>
      this.masterOf(key).then(
        () => true,
        () => false,
      ),
    );
    await master.restart();
    await this.#untilFollowing(master);
  }

  async failOver(key: string): Promise<void> {
    const master = await this.masterOf(key);
    const id = await this.#ask(master, 'myid');
    for (const node of this.nodes) {
      const isReplica = (await this.#lines(node)).some((line) => line.includes('myself,slave') && line.includes(id));
      if (!isReplica) continue;
      await this.#ask(node, 'failover');
      await until(async () => (await this.masterOf(key).catch(() => master)) === node);
      await this.#untilFollowing(master);
      return;
    }
    throw new Error(`the master of ${key} has no replica`);
  }

  async moveSlotOf(key: string, halfwayMs: number): Promise<void> {
    const slot = slotOf(key);
    const from = await this.masterOf(key);
    const masters: RedisServer[] = [];
    for (const node of this.nodes)
      if ((await this.#lines(node)).some((line) => line.includes('myself,master'))) masters.push(node);
    const to = masters.find((node) => node !== from)!;
    const [fromId, toId] = [await this.#ask(from, 'myid'), await this.#ask(to, 'myid')];
    await this.#ask(to, 'setslot', slot, 'importing', fromId);
    await this.#ask(from, 'setslot', slot, 'migrating', toId);
    for (let isFirst = true; ; isFirst = false) {
      const keys = (await this.#client(from).call('cluster', 'getkeysinslot', slot, isFirst ? 3 : 100)) as string[];
      if (keys.length === 0) break;
      await this.#client(from).call('migrate', '127.0.0.1', to.port, '', 0, 5000, 'keys', ...keys);
      if (isFirst) await sleep(halfwayMs);
    }
    await this.#ask(to, 'setslot', slot, 'node', toId);
    await this.#ask(from, 'setslot', slot, 'node', toId);
    for (const node of masters) if (node !== to && node !== from) await this.#ask(node, 'setslot', slot, 'node', toId);
  }

  #client(node: RedisServer): Redis {
    return this.#clients.get(node)!;
  }

  async #ask(node: RedisServer, ...command: (string | number)[]): Promise<string> {
    return String(await this.#client(node).call('cluster', ...command.map(String)));
  }

  async #lines(node: RedisServer): Promise<string[]> {
    return (await this.#ask(node, 'nodes')).split('\n');
  }

  async #untilWell(size: number): Promise<void> {
    await until(async () => {
      const states = await Promise.all(this.nodes.map((node) => this.#ask(node, 'info')));
      return states.every((state) => /cluster_state:ok/.test(state) && state.includes(`cluster_size:${size}`));
    });
  }

  /** It is a replica, and has all that its master has. */
  async #untilFollowing(node: RedisServer): Promise<void> {
    await until(async () =>
      /role:slave[\s\S]*master_link_status:up/.test(await this.#client(node).info('replication')),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) client.disconnect();
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}

/** Of a line of CLUSTER NODES: `… connected 0-99 200 [300->-id]`. */
function slotsIn(line: string): [from: number, to: number][] {
  const ranges = line.split(' ').slice(8);
  return ranges.flatMap((range): [number, number][] => {
    const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    return from === undefined ? [] : [[Number(from), Number(to ?? from)]];
  });
}
