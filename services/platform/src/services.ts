/** Builds the services that this process runs. Each is loaded only where it runs. */
import {
  followRevocations,
  type Logger,
  type Metrics,
  type ReadinessCheck,
  readSettings,
  type ServedService,
  type Service,
  type SettingsOf,
  serviceTokens,
} from '@parley/kit';
import { openChannels } from './channels.ts';
import { openChatLog } from './chat-log.ts';
import type { Listening } from './listen.ts';
import type { Ports } from './ports.ts';
import type { serveSettings } from './settings.ts';
import type { SignIn } from './sign-in.ts';
import type { Store } from './store.ts';

/** In the order in which they are started: who is called before who calls. */
export const serviceKinds = ['user', 'payment', 'chat', 'order', 'gateway'] as const;
export type ServiceKind = (typeof serviceKinds)[number];

export interface ServiceParts {
  kinds: ServiceKind[];
  alone: boolean;
  env: NodeJS.ProcessEnv;
  settings: SettingsOf<typeof serveSettings>;
  log: Logger;
  metrics: Metrics;
  ports: Ports;
  store: Store;
  signIn: SignIn;
  podId: string;
}

export interface BuiltServices extends AsyncDisposable {
  rpc: ServedService[];
  checks: ReadinessCheck[];
  httpPort: number | undefined;
  /** Where the gateway runs alone: serves its gRPC port by passing calls on. */
  proxy: ((port: number) => Promise<Listening>) | undefined;
  drain(): Promise<void>;
}

/** @throws StartError for settings that cannot be used. */
export async function buildServices(parts: ServiceParts): Promise<BuiltServices> {
  const { kinds, alone, env, settings, log, metrics, ports, store, signIn, podId } = parts;
  const { keys, verifier, mode: authMode } = signIn;
  const stack = new AsyncDisposableStack();
  const token = serviceTokens(keys, alone ? (kinds[0] as string) : 'parley');
  const channels = stack.use(openChannels(ports, token, log, metrics));
  const built: Service[] = [];
  const result: BuiltServices = {
    rpc: [],
    checks: [],
    httpPort: undefined,
    proxy: undefined,
    async drain() {
      await Promise.all(built.map((service) => service.drain?.()));
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
  const add = <S extends Service>(service: S): S => {
    built.push(stack.use(service));
    result.rpc.push(...service.rpc);
    result.checks.push(...service.checks);
    return service;
  };
  // Only services that keep something in a database ask for it, and the store has one for them.
  const database = store.database as NonNullable<Store['database']>;

  const build: Record<ServiceKind, () => Promise<void>> = {
    async user() {
      const { createUserService, userSettings } = await import('@parley/user');
      add(
        await createUserService({
          database,
          keys,
          verifier,
          settings: readSettings(userSettings, env),
          log,
          metrics,
          authMode,
        }),
      );
    },
    async payment() {
      const { createPaymentService, paymentSettings } = await import('@parley/payment');
      add(await createPaymentService({ database, settings: readSettings(paymentSettings, env), log, metrics }));
    },
    async chat() {
      const { createChatService, chatSettings } = await import('@parley/chat');
      const chatLog = stack.use(await openChatLog({ redisUrl: settings.redisUrl, database, log }));
      add(
        await createChatService({
          log: chatLog,
          users: channels.to('user').client('auth.AuthService'),
          verifier,
          podId,
          settings: readSettings(chatSettings, env),
          logger: log,
          metrics,
          authMode,
          roomsMode: settings.rooms ?? (alone ? 'declared' : 'open'),
        }),
      );
    },
    async order() {
      const { createOrderService, orderSettings } = await import('@parley/order');
      add(
        await createOrderService({
          database,
          payments: channels.to('payment').client('payment.PaymentService'),
          chat: channels.to('chat').client('chat.ChatService'),
          rooms: channels.to('chat').client('chat.RoomAdminService'),
          verifier,
          settings: readSettings(orderSettings, env),
          log,
          metrics,
        }),
      );
    },
    async gateway() {
      const { createGateway, gatewaySettings, serveProxy } = await import('@parley/gateway');
      const { webDirectory } = await import('@parley/web');
      const to = {
        user: channels.to('user'),
        chat: channels.to('chat'),
        order: channels.to('order'),
        payment: channels.to('payment'),
      };
      const gateway = add(
        await createGateway({
          channels: to,
          keys,
          verifier,
          serviceToken: token,
          webDirectory,
          settings: readSettings(gatewaySettings, env),
          authMode,
          log,
          metrics,
          port: settings.httpPort,
        }),
      );
      result.httpPort = gateway.httpPort;
      if (alone) result.proxy = (port) => serveProxy({ port, channels: to, log, metrics });
    },
  };
  try {
    for (const kind of kinds) await build[kind]();
    // Where the user service is another process, its revocations are heard from there; in its own it tells the verifier.
    const elsewhere = !kinds.includes('user') && ports.addresses.user !== undefined;
    if (elsewhere) stack.use(followRevocations(channels.to('user').client('auth.AuthService'), verifier, log));
    return result;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
