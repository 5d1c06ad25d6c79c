import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@parley/kit/testing/port';
import { compact } from './etcd.ts';
import { Program } from './process.ts';
import { findPrograms } from './programs.ts';

export interface ApiServerOptions {
  /** Users beside `admin`, each with its groups. They may do nothing until a Role says so. */
  users?: Record<string, string[]>;
  /** More flags for kube-apiserver, such as `--watch-cache=false` or `--request-timeout=5s`. */
  flags?: string[];
  /** Write who asked for what to `auditLog`, one JSON event per line. */
  audit?: boolean;
}

/** What client-node's `KubeConfig.loadFromOptions` takes, and, as JSON, what kubectl reads. */
export interface KubeConfigOptions {
  clusters: { name: string; server: string; caData: string }[];
  users: { name: string; token: string }[];
  contexts: { name: string; cluster: string; user: string; namespace: string }[];
  currentContext: string;
}

export interface ApiServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** The certificate authority, PEM. */
  readonly ca: string;
  /** The token of `admin`, who is in system:masters. */
  readonly token: string;
  /** A kubeconfig file for `admin`, for kubectl and helm. */
  readonly kubeconfigFile: string;
  /** Where the audit log is; empty until the first request, absent without `audit`. */
  readonly auditLog: string;
  /** Where etcd listens: `http://127.0.0.1:port`. */
  readonly etcdUrl: string;
  /** A user's token. @throws for a user that `users` does not name. */
  tokenOf(user: string): string;
  /** Options for client-node's `KubeConfig.loadFromOptions`. */
  kubeConfig(user?: string, namespace?: string): KubeConfigOptions;
  /** One request as `admin` or another user. The body is sent as JSON, the answer parsed as JSON where it is. */
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  /** Runs kubectl as `admin` and returns its standard output. @throws with its standard error. */
  kubectl(args: string[], stdin?: string): Promise<string>;
  /** SIGSTOP: connections stay open and say nothing more. */
  pause(): void;
  resume(): void;
  /** Ends kube-apiserver, and leaves etcd and its data. SIGKILL resets connections; SIGTERM drains them. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again, on the same port with the same data. */
  start(): Promise<void>;
  /**
   * Makes etcd forget all but the newest revision and returns that one. With `--watch-cache=false`, or after a restart,
   * a watch from an older resourceVersion is then answered 410.
   */
  compact(): Promise<string>;
}

export interface RequestOptions {
  body?: unknown;
  contentType?: string;
  token?: string;
}

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any Kubernetes resource from it.
  body: any;
}

const startTimeoutMs = 60_000;

/**
 * Starts etcd and kube-apiserver on free loopback ports with their data in a temporary folder. Ready in about two
 * seconds; takes 250 MB. There is no kubelet, scheduler or controller manager: nothing makes EndpointSlices, pods stay
 * Pending, and deletion does not reach what an object owns.
 */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const programs = await findPrograms(['etcd', 'kube-apiserver', 'kubectl']);
  const folder = await mkdtemp(join(tmpdir(), 'parley-apiserver-'));
  const [etcdPort, port] = [await freePort(), await freePort()];
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const url = `https://127.0.0.1:${port}`;
  const auditLog = join(folder, 'audit.log');
  const kubeconfigFile = join(folder, 'kubeconfig');

  const groups: Record<string, string[]> = { ...options.users, admin: ['system:masters'] };
  const tokens = new Map(Object.keys(groups).map((user) => [user, randomBytes(16).toString('hex')]));
  const tokenOf = (user: string): string => {
    const token = tokens.get(user);
    if (!token) throw new Error(`user ${user} is unknown; startApiServer was told of ${[...tokens.keys()].join(', ')}`);
    return token;
  };
  const lines = [...tokens].map(([user, token]) => `${token},${user},${user},"${groups[user]!.join(',')}"`);
  await writeFile(join(folder, 'tokens'), `${lines.join('\n')}\n`, { mode: 0o600 });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await writeFile(join(folder, 'sa.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  await writeFile(join(folder, 'audit-policy.json'), JSON.stringify(auditPolicy));

  const etcd = new Program(
    [
      programs.etcd,
      `--data-dir=${join(folder, 'etcd')}`,
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      '--listen-peer-urls=http://127.0.0.1:0',
      '--unsafe-no-fsync',
    ],
    join(folder, 'etcd.log'),
  );
  const apiserver = new Program(
    [
      programs['kube-apiserver'],
      `--etcd-servers=${etcdUrl}`,
      `--cert-dir=${join(folder, 'certs')}`,
      `--secure-port=${port}`,
      '--bind-address=127.0.0.1',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${join(folder, 'sa.key')}`,
      `--service-account-signing-key-file=${join(folder, 'sa.key')}`,
      `--token-auth-file=${join(folder, 'tokens')}`,
      '--authorization-mode=RBAC',
      '--disable-admission-plugins=ServiceAccount',
      '--service-cluster-ip-range=10.96.0.0/16',
      // Without these it looks for a network interface that others could reach it by.
      '--advertise-address=127.0.0.1',
      '--endpoint-reconciler-type=none',
      ...(options.audit
        ? [`--audit-log-path=${auditLog}`, `--audit-policy-file=${join(folder, 'audit-policy.json')}`]
        : []),
      ...(options.flags ?? []),
    ],
    join(folder, 'kube-apiserver.log'),
  );

  // kube-apiserver signs its own certificate, once, at its first start.
  const readCa = () => readFile(join(folder, 'certs', 'apiserver.crt'), 'utf8');
  let ca = '';
  // Half of what a short request costs would be its handshake.
  const agent = new Agent({ keepAlive: true });
  const request = (method: string, path: string, { body, contentType, token }: RequestOptions = {}) =>
    send(method, new URL(path, url), { agent, ca, token: token ?? tokenOf('admin'), body, contentType });
  const start = () =>
    apiserver.start(async () => {
      ca ||= await readCa();
      // The default namespace is made a moment after /readyz says ok.
      const ready = await Promise.all(['/readyz', '/api/v1/namespaces/default'].map((path) => request('GET', path)));
      return ready.every(({ status }) => status === 200);
    }, startTimeoutMs);
  const dispose = async () => {
    agent.destroy();
    await apiserver.stop('SIGKILL');
    await etcd.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await etcd.start(async () => (await fetch(`${etcdUrl}/health`)).ok, startTimeoutMs);
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }

  const kubeConfig = (user = 'admin', namespace = 'default'): KubeConfigOptions => ({
    clusters: [{ name: 'test', server: url, caData: Buffer.from(ca).toString('base64') }],
    users: [{ name: user, token: tokenOf(user) }],
    contexts: [{ name: 'test', cluster: 'test', user, namespace }],
    currentContext: 'test',
  });
  await writeFile(kubeconfigFile, kubeconfigYaml(kubeConfig()), { mode: 0o600 });

  return {
    url,
    port,
    ca,
    token: tokenOf('admin'),
    kubeconfigFile,
    auditLog,
    etcdUrl,
    tokenOf,
    kubeConfig,
    request,
    async kubectl(args, stdin) {
      const run = promisify(execFile)(programs.kubectl, [`--kubeconfig=${kubeconfigFile}`, ...args], {
        maxBuffer: 64 << 20,
      });
      run.child.stdin?.end(stdin);
      return (await run).stdout;
    },
    pause: () => apiserver.signal('SIGSTOP'),
    resume: () => apiserver.signal('SIGCONT'),
    stop: (signal = 'SIGKILL') => apiserver.stop(signal),
    start,
    compact: () => compact(etcdUrl),
    [Symbol.asyncDispose]: dispose,
  };
}

const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  // One event a request, when it has been answered; a watch also when it began.
  rules: [{ level: 'Metadata', omitStages: ['RequestReceived'] }],
};

/** kubectl's form of the same: its YAML nests what client-node lays flat. JSON is YAML. */
function kubeconfigYaml({ clusters, users, contexts, currentContext }: KubeConfigOptions): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: clusters.map(({ name, server, caData }) => ({
      name,
      cluster: { server, 'certificate-authority-data': caData },
    })),
    users: users.map(({ name, token }) => ({ name, user: { token } })),
    contexts: contexts.map(({ name, ...context }) => ({ name, context })),
    'current-context': currentContext,
  });
}

interface Sent extends RequestOptions {
  agent: Agent;
  ca: string;
}

function send(method: string, url: URL, sent: Sent): Promise<Answer> {
  const { agent, ca, token, body, contentType = 'application/json' } = sent;
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': contentType }) };
    const outgoing = httpsRequest(url, { method, ca, headers, agent, timeout: 30_000 }, (incoming) => {
      incoming.setEncoding('utf8');
      let text = '';
      incoming.on('data', (chunk) => {
        text += chunk;
      });
      incoming.on('error', reject);
      incoming.on('end', () => {
        const json = incoming.headers['content-type']?.includes('json') && text !== '';
        resolve({ status: incoming.statusCode ?? 0, body: json ? JSON.parse(text) : text });
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${url.pathname} was not answered within 30 s`)));
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      // A connection that was left open may be gone with the server that it was to.
      if (outgoing.reusedSocket && error.code === 'ECONNRESET') resolve(send(method, url, sent));
      else reject(error);
    });
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
