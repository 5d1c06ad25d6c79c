// How long many ChatRooms take to be Ready, and what that costs: `node operator/bench/scale.ts 1000 10000 [--peer BINARY]`.
// The rooms are there before the operator starts; the clock runs from its start to the last Ready=True. The API server,
// etcd and the chat service run beside it, on the same processors. With --peer the operator in bench/peer runs instead.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startApiServer } from '@parley/apiserver';
import { KeyRing, serviceTokens } from '@parley/kit';
import { CHAT_ROOMS, type ChatRoom } from '../src/api/index.ts';
import { collectionPath, findCondition, Reflector } from '../src/runtime/index.ts';
import { ChatServer } from '../src/testing/chat-server.ts';
import { type Cluster, startCluster } from '../src/testing/cluster.ts';
import { until } from '../src/testing/until.ts';

const STEADY_SECONDS = 30;
const TICKS_PER_SECOND = 100;

const { values, positionals } = parseArgs({ options: { peer: { type: 'string' } }, allowPositionals: true });
const sizes = positionals.length > 0 ? positionals.map(Number) : [1_000];
for (const size of sizes) console.log(JSON.stringify(await measure(size, values.peer)));

async function measure(size: number, peer: string | undefined) {
  await using cluster = await startCluster(startApiServer);
  await using chat = await ChatServer.listen();
  await createRooms(cluster, size);
  const ready = countReady(cluster);
  const before = await requests(cluster);
  const begun = performance.now();
  const operator = peer ? startPeer(peer, cluster, chat) : startOwn(cluster, chat);
  try {
    await until(`${size} rooms Ready`, () => ready.count() >= size, 600_000);
    const seconds = (performance.now() - begun) / 1_000;
    const calls = (await requests(cluster)) - before;
    const busy = await cpuSeconds(operator.pid!);
    const idleFrom = await cpuSeconds(operator.pid!);
    await new Promise((resolve) => setTimeout(resolve, STEADY_SECONDS * 1_000));
    const steady = ((await cpuSeconds(operator.pid!)) - idleFrom) / STEADY_SECONDS;
    const status = await readFile(`/proc/${operator.pid}/status`, 'utf8');
    const mib = (field: string) => Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
    return {
      operator: peer ? 'controller-runtime' : 'parley',
      rooms: size,
      seconds: round(seconds),
      writesPerRoom: round(calls / size),
      chatCallsPerRoom: round(chat.calls.applyRoom / size),
      cpuSeconds: round(busy),
      rssMiB: mib('VmRSS'),
      peakMiB: mib('VmHWM'),
      steadyCpuPercent: round(steady * 100),
    };
  } finally {
    operator.kill('SIGKILL');
    await ready.stop();
  }
}

function startOwn(cluster: Cluster, chat: ChatServer) {
  const script = new URL('operate.ts', import.meta.url).pathname;
  const address = `127.0.0.1:${chat.port}`;
  const env = {
    PATH: '/usr/bin:/bin',
    KUBECONFIG: cluster.api.kubeconfigFile,
    PARLEY_CHAT_ADDRESS: address,
    PARLEY_USER_ADDRESS: address,
    PARLEY_JWT_KEYS: chat.keys,
    PARLEY_NAMESPACE: 'default',
    PARLEY_METRICS_PORT: '0',
    LOG_LEVEL: 'error',
  };
  return spawn(process.execPath, [script], { env, stdio: ['ignore', 'inherit', 'inherit'] });
}

function startPeer(binary: string, cluster: Cluster, chat: ChatServer) {
  const token = serviceTokens(new KeyRing(chat.keys), 'peer')();
  const flags = [`-chat=127.0.0.1:${chat.port}`, `-token=${token}`, '-namespace=default'];
  return spawn(binary, flags, {
    env: { KUBECONFIG: cluster.api.kubeconfigFile },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

async function createRooms(cluster: Cluster, size: number): Promise<void> {
  const client = cluster.client();
  let next = 0;
  const create = async () => {
    for (let i = next++; i < size; i = next++) {
      await client.request({
        method: 'POST',
        path: collectionPath(CHAT_ROOMS, 'default'),
        body: {
          apiVersion: 'parley.dev/v1alpha1',
          kind: 'ChatRoom',
          metadata: { name: `room-${i}` },
          spec: { displayName: `Room ${i}`, topic: 'One of many', maxMembers: 500 },
        },
      });
    }
  };
  await Promise.all(Array.from({ length: 16 }, create));
}

function countReady(cluster: Cluster) {
  const stop = new AbortController();
  const rooms = new Reflector<ChatRoom>({ client: cluster.client(), resource: CHAT_ROOMS, namespace: 'default' });
  const ready = new Set<string>();
  rooms.onChange(({ object: { metadata, status } }) => {
    if (findCondition(status?.conditions, 'Ready')?.status === 'True') ready.add(metadata.name);
  });
  const running = rooms.run(stop.signal);
  return {
    count: () => ready.size,
    async stop() {
      stop.abort();
      await running;
    },
  };
}

/** Writes to ChatRooms and their status, as the API server counts them. */
async function requests(cluster: Cluster): Promise<number> {
  const { body } = await cluster.api.request('GET', '/metrics');
  const lines = String(body).matchAll(/^apiserver_request_total\{([^}]*)\} (\S+)$/gm);
  let sum = 0;
  for (const [, labels = '', value] of lines) {
    if (labels.includes('resource="chatrooms"') && /verb="(PATCH|APPLY|PUT|POST|DELETE)"/.test(labels))
      sum += Number(value);
  }
  return sum;
}

async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
