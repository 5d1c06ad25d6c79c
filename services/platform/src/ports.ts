import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import type { SettingsOf } from '@parley/kit';
import type { ServiceKind } from './services.ts';
import type { serveSettings } from './settings.ts';

export interface Ports {
  grpc: number;
  /** Where each service is dialled; undefined where nobody said. */
  addresses: Record<Exclude<ServiceKind, 'gateway'>, string | undefined>;
}

/** Decides the gRPC port and where the services are: in one process they dial their own port. */
export async function openPorts(settings: SettingsOf<typeof serveSettings>, kinds: ServiceKind[]): Promise<Ports> {
  const together = kinds.length > 1;
  // The services need the port before it is listened on: a free one is looked for now.
  const grpc = settings.grpcPort === 0 && together ? await freePort() : settings.grpcPort;
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
