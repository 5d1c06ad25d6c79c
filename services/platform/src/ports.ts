import { type AddressInfo, createServer } from 'node:net';
import { portError, type SettingsOf } from '@parley/kit';
import type { ServiceKind } from './services.ts';
import type { serveSettings } from './settings.ts';

export interface Ports {
  grpc: number;
  /** Where each service is dialled; undefined where nobody said. */
  addresses: Record<Exclude<ServiceKind, 'gateway'>, string | undefined>;
}

/**
 * Decides the gRPC port and where the services are: in one process they dial their own port.
 * @throws StartError for a port in use: now, before anything is opened or written.
 */
export async function openPorts(settings: SettingsOf<typeof serveSettings>, kinds: ServiceKind[]): Promise<Ports> {
  const together = kinds.length > 1;
  // The services need the port before it is listened on: a free one is looked for now.
  await listenOnce(settings.grpcPort, 'PARLEY_GRPC_PORT');
  if (kinds.includes('gateway')) await listenOnce(settings.httpPort, 'PARLEY_HTTP_PORT');
  const grpc = settings.grpcPort === 0 && together ? await listenOnce(0, 'PARLEY_GRPC_PORT') : settings.grpcPort;
  const here = together ? `127.0.0.1:${grpc}` : undefined;
  return {
    grpc,
    addresses: {
      user: settings.userAddress ?? here,
      chat: settings.chatAddress ?? here,
      order: settings.orderAddress ?? here,
      payment: settings.paymentAddress ?? here,
    },
  };
}

/** Listens for a moment, and answers the port. */
async function listenOnce(port: number, setting: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError(error, port, setting)));
    server.listen(port, resolve);
  });
  const { port: listened } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return listened;
}
