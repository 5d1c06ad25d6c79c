/** The gRPC port: the process's own services, or in the gateway's pod a proxy to everybody's. */
import { type Logger, type Metrics, RpcServer } from '@parley/kit';
import type { Ports } from './ports.ts';
import type { BuiltServices } from './services.ts';
import type { SignIn } from './sign-in.ts';

export interface Listening extends AsyncDisposable {
  port: number;
  notServing(): void;
  drain(graceMs: number): Promise<void>;
}

interface ListenParts {
  services: BuiltServices;
  ports: Ports;
  signIn: SignIn;
  log: Logger;
  metrics: Metrics;
}

export async function listen({ services, ports, signIn, log, metrics }: ListenParts): Promise<Listening> {
  if (services.proxy) return services.proxy(ports.grpc);
  const { mode: authMode, verifier } = signIn;
  return RpcServer.listen({ port: ports.grpc, services: services.rpc, authMode, verifier, log, metrics });
}
