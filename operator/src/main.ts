import { hostname } from 'node:os';
import { KubeConfig } from '@kubernetes/client-node';
import { channelOptions, policiesOf, registerDiscovery } from '@parley/discovery';
// By file, not the whole kit: its database is not the operator's to load.
import { KeyRing } from '@parley/kit/auth/keys';
import { serviceTokens } from '@parley/kit/auth/tokens';
import { createLog, type Logger } from '@parley/kit/log';
import { Metrics } from '@parley/kit/metrics';
import { Readiness, serveOperations } from '@parley/kit/operations';
import { RpcChannel } from '@parley/kit/rpc/client';
import { packageDefinition } from '@parley/kit/rpc/definitions';
import { badSettings } from '@parley/kit/settings';
import { Operator } from './operator.ts';
import { releaseFinalizers } from './release.ts';
import { ApiClient, createMetrics } from './runtime/index.ts';
import type { OperatorConfig } from './settings.ts';

/**
 * Runs the operator until the signal aborts: `parley operator`.
 * @throws StartError that names every setting that is missing, or KUBECONFIG where it cannot be used
 */
export async function runOperator(config: OperatorConfig, signal: AbortSignal): Promise<void> {
  requireSettings(config);
  await using stack = new AsyncDisposableStack();
  const log = createLog('operator', config.logLevel);
  stack.defer(() => log.flush());
  const metrics = new Metrics({ processMetrics: true });
  const runtime = createMetrics(metrics.registry);

  const kubeConfig = loadKubeConfig();
  const client = stack.adopt(new ApiClient(kubeConfig, { metrics: runtime }), (own) => own.close());
  stack.adopt(registerDiscovery({ log, kubeConfig }), (own) => own.close());
  const token = serviceTokens(new KeyRing(config.keys!), 'parley-operator');
  const channel = (address: string) => stack.use(openChannel(address, token, metrics));
  const chat = channel(config.chatAddress!);
  const user = channel(config.userAddress!);

  const operator = new Operator({
    client,
    admin: chat.client('chat.RoomAdminService'),
    users: user.client('auth.AuthService'),
    ...placeOf(config, kubeConfig),
    identity: identityOf(config),
    workers: config.workers,
    prometheus: config.prometheusUrl ? { url: config.prometheusUrl, query: config.errorRateQuery } : undefined,
    maxErrorRate: config.maxErrorRate,
    log,
    metrics: runtime,
  });
  const readiness = new Readiness();
  readiness.add({
    name: 'watches',
    check() {
      if (!operator.hasSynced) throw new Error('not everything has been listed yet');
    },
  });
  stack.use(await serveOperations(config.metricsPort, metrics, readiness));
  log.info({ namespace: config.watchNamespace ?? config.namespace }, 'operator.started');
  await operator.run(signal);
  log.info({}, 'operator.stopped');
}

/** Lets go of every ChatRoom before an uninstall: `parley operator release`, the chart's pre-delete hook. */
export async function runRelease(config: OperatorConfig, signal: AbortSignal): Promise<void> {
  const log: Logger = createLog('operator', config.logLevel);
  const kubeConfig = loadKubeConfig();
  const client = new ApiClient(kubeConfig);
  try {
    const identity = `release_${identityOf(config)}`;
    await releaseFinalizers({ client, ...placeOf(config, kubeConfig), identity, log }, signal);
  } finally {
    await client.close();
    log.flush();
  }
}

function requireSettings(config: OperatorConfig): void {
  const required = [
    ['PARLEY_CHAT_ADDRESS', config.chatAddress, 'host:port, static:///host:port or k8s:///service:grpc'],
    ['PARLEY_USER_ADDRESS', config.userAddress, 'host:port, static:///host:port or k8s:///service:grpc'],
    ['PARLEY_JWT_KEYS', config.keys, 'the folder of the signing keys'],
  ] as const;
  const missing = required.filter(([, value]) => value === undefined);
  if (missing.length === 0) return;
  throw badSettings(missing.map(([name, , allowed]) => `${name} is not set; give ${allowed}`));
}

/** The way to the API server: KUBECONFIG's, the home folder's or the pod's own. @throws StartError where it leads nowhere */
function loadKubeConfig(): KubeConfig {
  const kubeConfig = new KubeConfig();
  try {
    kubeConfig.loadFromDefault();
    if (!kubeConfig.getCurrentCluster()) throw new Error('its current-context names no cluster');
  } catch (error) {
    // What is wrong with a file's YAML is told in one line, and then shown in several.
    const [why] = (error as Error).message.split('\n');
    throw badSettings([`KUBECONFIG, or without it ~/.kube/config, cannot be used: ${why}`]);
  }
  return kubeConfig;
}

/** The Lease's namespace and the watched one; by default both are the pod's own. */
function placeOf(config: OperatorConfig, kubeConfig: KubeConfig): { namespace: string; watchNamespace?: string } {
  const own = kubeConfig.getContextObject(kubeConfig.getCurrentContext())?.namespace;
  const namespace = config.namespace ?? own ?? 'default';
  const watched = config.watchNamespace ?? namespace;
  return watched === '*' ? { namespace } : { namespace, watchNamespace: watched };
}

/** The pod's name for people, and a part that no restart of it has again. */
function identityOf(config: OperatorConfig): string {
  return `${config.podName ?? hostname()}_${crypto.randomUUID()}`;
}

function openChannel(address: string, token: () => string, metrics: Metrics): RpcChannel {
  const definition = packageDefinition();
  const methods = ['chat.RoomAdminService', 'auth.AuthService'].flatMap((name) =>
    policiesOf(definition[name] as never),
  );
  const weighted = /^(k8s|static):/.test(address);
  const options = weighted ? channelOptions({ methods }) : {};
  return new RpcChannel({ address, token, metrics, channelOptions: options });
}
