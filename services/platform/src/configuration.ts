/** All that is wrong with the settings of what is about to start: said at once, before anything is opened or written. */
import { badSettings, from, KeyRing, readSettings, type SettingsOf, wrongSettings } from '@parley/kit';
import type { ServiceKind } from './services.ts';
import { serveSettings } from './settings.ts';

type Environment = Record<string, string | undefined>;

/**
 * The settings of `parley serve`; those of its services, which read them where they are built, are good then too.
 * @throws StartError that names every setting that is missing, cannot be used or contradicts another.
 */
export async function readConfiguration(
  kinds: ServiceKind[],
  env: Environment,
): Promise<SettingsOf<typeof serveSettings>> {
  const wrong = wrongSettings(serveSettings, env);
  const { keys } = serveSettings;
  wrong.push(...wrongSettings({ keys }, env, ({ keys }) => keys !== undefined && new KeyRing(keys).signing()));
  for (const kind of kinds) wrong.push(...(await wrongIn[kind](env)));
  if (kinds.length === 1) wrong.push(...missing(kinds[0] as ServiceKind, env));
  if (wrong.length > 0) throw badSettings(wrong);
  return readSettings(serveSettings, env);
}

const wrongIn: Record<ServiceKind, (env: Environment) => Promise<string[]>> = {
  async user(env) {
    const { firstAdminOf, userSettings } = await import('@parley/user');
    const { adminUsername: name, adminPassword: password } = userSettings;
    // Whatever is wrong with one of them, the other has to be there.
    const given = {
      adminUsername: { ...name, schema: from.optional() },
      adminPassword: { ...password, schema: from.optional() },
    };
    return [...wrongSettings(userSettings, env), ...wrongSettings(given, env, firstAdminOf)];
  },
  async payment(env) {
    return wrongSettings((await import('@parley/payment')).paymentSettings, env);
  },
  async chat(env) {
    return wrongSettings((await import('@parley/chat')).chatSettings, env);
  },
  async order(env) {
    const { openCatalogue, orderSettings } = await import('@parley/order');
    return wrongSettings(orderSettings, env, ({ catalogue }) => openCatalogue(catalogue));
  },
  async gateway(env) {
    return wrongSettings((await import('@parley/gateway')).gatewaySettings, env);
  },
};

const keysNeeded = 'name the folder of signing keys that all services share';
const addressNeeded = 'give host:port, static:///host:port or k8s:///service:grpc';

/** What a service needs that runs alone: its store, the keys, and where those are whom it calls. */
const needs: Record<ServiceKind, (env: Environment) => Record<string, string>> = {
  user: () => database('user'),
  payment: () => database('payment'),
  chat: (env) => ({
    ...(isSet(env, 'REDIS_URL') ? {} : { DATABASE_URL: 'the chat log is kept there, or in Redis: then set REDIS_URL' }),
    ...addresses('user'),
  }),
  order: () => ({ ...database('order'), ...addresses('payment', 'chat') }),
  gateway: () => addresses('user', 'chat', 'order', 'payment'),
};

function missing(kind: ServiceKind, env: Environment): string[] {
  const needed = { PARLEY_JWT_KEYS: keysNeeded, ...needs[kind](env) };
  return Object.entries(needed)
    .filter(([name]) => !isSet(env, name))
    .map(([name, what]) => `${name} is not set; ${what}`);
}

const isSet = (env: Environment, name: string): boolean => (env[name]?.trim() ?? '') !== '';
const database = (kind: ServiceKind) => ({ DATABASE_URL: `\`parley serve ${kind}\` keeps its data in PostgreSQL` });
const addresses = (...of: string[]) =>
  Object.fromEntries(of.map((service) => [`PARLEY_${service.toUpperCase()}_ADDRESS`, addressNeeded]));
