import { logLevels } from '@parley/kit/log';
import { from, readSettings, type SettingsOf, setting } from '@parley/kit/settings';

const isNamespace = (text: string) => /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text);

const rate = (fallback: string) =>
  from
    .text(fallback)
    .refine((text) => Number(text) > 0 && Number(text) <= 1, 'a share above 0 and up to 1 is allowed, such as 0.05')
    .transform(Number);

/** What the operator can be told, with what is said of each in the README. */
export const operatorSettings = {
  chatAddress: setting('PARLEY_CHAT_ADDRESS', from.optional(), 'Where the chat service is, such as k8s:///parley-chat'),
  userAddress: setting('PARLEY_USER_ADDRESS', from.optional(), 'Where the user service is'),
  keys: setting('PARLEY_JWT_KEYS', from.optional(), 'Folder of signing keys, <kid>.pem; the last name signs'),
  namespace: setting(
    'PARLEY_NAMESPACE',
    from.optional().refine((text) => text === undefined || isNamespace(text), 'the name of a namespace is allowed'),
    'Where the Lease is kept',
    "the pod's",
  ),
  watchNamespace: setting(
    'PARLEY_WATCH_NAMESPACE',
    from
      .optional()
      .refine(
        (text) => text === undefined || text === '*' || isNamespace(text),
        'a namespace is allowed, or * for all',
      ),
    'The namespace whose resources are looked after; * for all',
    'PARLEY_NAMESPACE',
  ),
  podName: setting('PARLEY_POD_NAME', from.optional(), "This process's name among its peers", "the host's"),
  workers: setting('PARLEY_OPERATOR_WORKERS', from.integer(16, 1, 256), 'Rooms worked on at once', '16'),
  prometheusUrl: setting(
    'PARLEY_PROMETHEUS_URL',
    from.url('http', 'https'),
    'Where rollouts ask for error rates; absent: they look at ready endpoints only',
  ),
  errorRateQuery: setting(
    'PARLEY_ERROR_RATE_QUERY',
    from.optional(),
    'PromQL that gives the share of failed calls; $namespace, $service and $pods, a pattern, stand for the backend',
    "calls handled by the pods of the backend's Deployment",
  ),
  maxErrorRate: setting(
    'PARLEY_MAX_ERROR_RATE',
    rate('0.05'),
    'The share of failed calls above which a rollout is taken back',
    '0.05',
  ),
  metricsPort: setting('PARLEY_METRICS_PORT', from.port(9090), 'Port of /metrics, /livez and /readyz', '9090'),
  logLevel: setting(
    'LOG_LEVEL',
    from.oneOf('info', ...logLevels),
    `How much is logged: ${logLevels.join(', ')}`,
    'info',
  ),
};

export type OperatorConfig = SettingsOf<typeof operatorSettings>;

/** Reads the operator's settings. @throws StartError that names every one that cannot be used */
export function readOperatorConfig(env: Record<string, string | undefined>): OperatorConfig {
  return readSettings(operatorSettings, env);
}
