// biome-ignore-all lint/suspicious/noExplicitAny: what kubectl and HTTP answer is looked at, not typed.
/** The cluster and what is asked of it: kubectl, helm, the API server, and the gateway from outside. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { RpcChannel } from '@parley/kit';
import { jsonRequest, type SentJson } from '@parley/kit/testing/http';

const env = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run k8s/e2e/run`);
  return value;
};
const context = env('PARLEY_E2E_CONTEXT');
const api = env('PARLEY_E2E_API');
export const url = env('PARLEY_E2E_HTTP');
export const grpcAddress = env('PARLEY_E2E_GRPC');
export const namespace = 'parley';
export const root = fileURLToPath(new URL('../../', import.meta.url));
export const chart = `${root}charts/parley`;
export const values = `${root}k8s/e2e/values.yaml`;
export const watchers = `${root}k8s/e2e/watchers.yaml`;

export interface Ran {
  code: number;
  out: string;
}

function run(program: string, args: string[], input?: string): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, out: `${stdout}${error ? stderr : ''}` }),
    );
    child.stdin?.end(input);
  });
}

/** @throws Error with what it printed, where it fails */
export async function kubectl(args: string[], input?: string): Promise<string> {
  const { code, out } = await tryKubectl(args, input);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${out}`);
  return out.trim();
}
export const tryKubectl = (args: string[], input?: string) =>
  run('kubectl', ['--context', context, '-n', namespace, ...args], input);
export const apply = (yaml: string) => kubectl(['apply', '-f', '-'], yaml);
export const json = async (args: string[]): Promise<any> => JSON.parse(await kubectl([...args, '-o', 'json']));

/**
 * What the API server answers in the tests' namespace, for what is asked again and again: through `kubectl proxy`, as each
 * run of kubectl itself takes some tenths of a second of CPU time. @throws Error for anything but a success
 */
async function read(path: string, version = '/api/v1'): Promise<Response> {
  const response = await fetch(new URL(`${version}/namespaces/${namespace}/${path}`, api), {
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}
const readJson = async (path: string, version?: string): Promise<any> => (await read(path, version)).json();

const versions = {
  deployments: '/apis/apps/v1',
  leases: '/apis/coordination.k8s.io/v1',
  chatrooms: '/apis/parley.dev/v1alpha1',
  serviceweights: '/apis/parley.dev/v1alpha1',
};

/** A resource as it is now. @throws where it is not */
export const resource = (kind: keyof typeof versions, name: string): Promise<any> =>
  readJson(`${kind}/${name}`, versions[kind]);

/** The pods with these labels. */
export const pods = async (selector: string): Promise<any[]> =>
  (await readJson(`pods?labelSelector=${encodeURIComponent(selector)}`)).items;

/** What a service in the cluster answers, read as JSON. */
export const inCluster = (service: string, port: number, path: string): Promise<any> =>
  readJson(`services/${service}:${port}/proxy${path}`);

/** Of each event what it is about, and its reason. */
export const events = () =>
  kubectl(['get', 'events.events.k8s.io', '-o', 'jsonpath={range .items[*]}{.regarding.name} {.reason}{"\\n"}{end}']);

export async function helm(args: string[]): Promise<string> {
  const { code, out } = await tryHelm(args);
  if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${out}`);
  return out;
}
export const tryHelm = (args: string[]) => run('helm', ['--kube-context', context, '-n', namespace, ...args]);
/** Installs or upgrades the release with the tests' values, with these changed, and waits until all of it is ready. */
export const release = (verb: 'install' | 'upgrade', ...changed: string[]) => {
  const given = ['-f', values, ...changed.flatMap((set) => ['--set', set])];
  return helm([verb, 'parley', chart, ...given, '--wait', '--timeout', '300s']);
};

/** Runs a command on the node of the control plane. */
export async function controlPlane(args: string[]): Promise<void> {
  const { code, out } = await run('docker', ['exec', `${context.replace('kind-', '')}-control-plane`, ...args]);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${out}`);
}

/** What a pod's metrics say: the sum of a metric's series whose labels hold all of these. */
export async function metric(pod: string, name: string, labels: Record<string, string> = {}): Promise<number> {
  const text = await (await read(`pods/${pod}:9090/proxy/metrics`)).text();
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && wanted.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

export const isReady = ({ metadata, status }: any): boolean =>
  !metadata.deletionTimestamp && status.conditions?.some((one: any) => one.type === 'Ready' && one.status === 'True');

/** The pods that are ready, and not on their way out. */
export async function podsOf(component: string, track?: string): Promise<string[]> {
  const selector = `app.kubernetes.io/component=${component}${track ? `,parley.dev/track=${track}` : ''}`;
  return (await pods(selector)).filter(isReady).map((pod) => pod.metadata.name);
}

export interface Answer {
  status: number;
  body: any;
}

/** One request to the gateway from outside; status 0 where there was no answer. */
export async function http(method: string, path: string, ...sent: SentJson): Promise<Answer> {
  try {
    const response = await fetch(new URL(path, url), {
      ...jsonRequest(method, ...sent),
      signal: AbortSignal.timeout(10_000),
    });
    return { status: response.status, body: await response.json().catch(() => ({})) };
  } catch (error) {
    return { status: 0, body: { detail: String((error as Error).cause ?? error) } };
  }
}

let people = 0;
/** Registers somebody new; where the answer is to try again, he does. */
export async function register(): Promise<{ username: string; id: string; token: string }> {
  for (let attempt = 1; ; attempt++) {
    const username = `guest-${process.pid}-${++people}`;
    const email = `${username}@example.com`;
    const registration = { username, email, password: 'correct horse battery' };
    const { status, body } = await http('POST', '/v1/auth/register', registration);
    if (status === 200) return { username, id: body.user.id, token: body.access_token };
    if (status !== 503 || attempt === 20) throw new Error(`register: ${status} ${JSON.stringify(body)}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** gRPC of all services behind the gateway, in somebody's name. */
export const channel = (token: () => string) => new RpcChannel({ address: grpcAddress, token });

export const room = (name: string, spec = '') => `
apiVersion: parley.dev/v1alpha1
kind: ChatRoom
metadata: {name: ${name}}
spec:
  displayName: Room ${name}
${spec.replace(/^/gm, '  ')}`;

/** What chat and its canary get. */
export const weights = (stable: number, canary: number, rollout = '') => `
apiVersion: parley.dev/v1alpha1
kind: ServiceWeight
metadata: {name: parley-chat}
spec:
  service: parley-chat
  port: grpc
  slowStart: 0s
  backends:
    - {service: parley-chat-stable, weight: ${stable}}
    - {service: parley-chat-canary, weight: ${canary}}
${rollout}`;

/** A condition of a ChatRoom. */
export const condition = async (name: string, type: string) =>
  (await resource('chatrooms', name)).status?.conditions?.find((c: any) => c.type === type);
