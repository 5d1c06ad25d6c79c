// biome-ignore-all lint/suspicious/noExplicitAny: manifests are looked at, not typed.
/** The chart as Helm renders it, without a cluster. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findPrograms } from '@parley/apiserver';
import { parse, parseAllDocuments, stringify } from 'yaml';

export const chart = fileURLToPath(new URL('parley', import.meta.url));

/** What is given beside the defaults, by the name of its golden file. Together they reach every branch of the templates. */
export const valueSets: Record<string, object> = {
  defaults: {},
  'external-stores': {
    image: { repository: 'registry.example.com/parley', tag: '1.2.3', pullSecrets: ['registry'] },
    auth: { existingSecret: 'signing-keys' },
    admin: { existingSecret: 'first-admin' },
    postgresql: { enabled: false, existingSecret: 'database' },
    redis: { enabled: false, existingSecret: 'log' },
    tracing: { endpoint: 'http://collector:4318' },
  },
  'database-only': {
    redis: { enabled: false },
    operator: { enabled: false },
    rooms: { mode: 'open' },
    auth: { mode: 'open' },
  },
  canary: {
    chat: { canary: { enabled: true, replicas: 2, image: { tag: 'next' }, env: { PARLEY_CANARY: true } } },
    gateway: { canary: { enabled: true } },
  },
  observed: {
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
    dashboards: { enabled: true },
    operator: { prometheusUrl: 'http://prometheus-operated:9090' },
  },
  public: {
    gateway: {
      service: { type: 'LoadBalancer', annotations: { 'example.com/pool': 'public' } },
      ingress: { enabled: true, className: 'nginx', host: 'chat.example.com', tlsSecret: 'certificate' },
      httpRoute: {
        enabled: true,
        hostnames: ['chat.example.com'],
        parentRefs: [{ name: 'public', namespace: 'infra' }],
      },
      allowedOrigins: ['https://example.com', 'https://www.example.com'],
    },
    networkPolicy: { enabled: true },
  },
  'node-port': { gateway: { service: { type: 'NodePort', nodePort: 30080, grpcNodePort: 30051 } } },
  production: {
    env: { NODE_OPTIONS: '--max-old-space-size=384', LOG_LEVEL: 'error' },
    logLevel: 'warn',
    drainSeconds: 60,
    operator: { allNamespaces: true, env: { PARLEY_OPERATOR_WORKERS: 32 } },
    crds: { enabled: false },
    postgresql: { existingSecret: 'database', storageClass: 'fast' },
    redis: { storageClass: 'fast', storage: '10Gi' },
    chat: {
      autoscaling: { enabled: true, minReplicas: 3, maxReplicas: 30 },
      maxUnavailable: '10%',
      nodeSelector: { pool: 'chat' },
      tolerations: [{ key: 'pool', operator: 'Equal', value: 'chat', effect: 'NoSchedule' }],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'pool', operator: 'In', values: ['chat'] }] }],
          },
        },
      },
      podAnnotations: { 'example.com/team': 'chat' },
    },
  },
};

export interface Helmed {
  code: number;
  out: string;
}

/** Runs helm, with values on its standard input where there are any. */
export async function helm(args: string[], values?: object): Promise<Helmed> {
  const { helm: program } = await findPrograms(['helm']);
  const given = values ? [...args, '--values', '-'] : args;
  return new Promise((resolve) => {
    const child = execFile(program, given, { maxBuffer: 64 << 20, timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, out: error ? `${stdout}${stderr}` : stdout }),
    );
    child.stdin?.end(stringify(values ?? {}));
  });
}

/** Everything that Helm would send, as text. The version is that of k8s/kind. */
export const template = (values: object = {}) =>
  helm(['template', 'parley', chart, '--namespace', 'parley', '--kube-version', '1.34.4'], values);

/** @throws Error with what Helm said, where it refuses the values */
export async function render(values: object = {}): Promise<string> {
  const { code, out } = await template(values);
  if (code !== 0) throw new Error(out);
  return out;
}

/** The resources of a rendering. */
export const resources = (rendered: string): any[] =>
  parseAllDocuments(rendered, { merge: true })
    .map((document) => document.toJS())
    .filter((resource) => resource !== null);

/** A pod for each pod template in the resources, named after what would make it. */
export function podsOf(all: any[]): any[] {
  // A StatefulSet gives its pods a volume for each claim.
  const claimed = ({ spec }: any) =>
    (spec.volumeClaimTemplates ?? []).map(({ metadata: { name } }: any) => ({
      name,
      persistentVolumeClaim: { claimName: name },
    }));
  return all
    .filter(({ kind, spec }) => kind === 'Pod' || spec?.template?.spec?.containers)
    .map((resource) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...resource.spec.template?.metadata, name: resource.metadata.name },
      spec:
        resource.kind === 'Pod'
          ? resource.spec
          : {
              ...resource.spec.template.spec,
              volumes: [...(resource.spec.template.spec.volumes ?? []), ...claimed(resource)],
            },
    }));
}

export const parseYaml = (text: string): any => parse(text, { merge: true });
