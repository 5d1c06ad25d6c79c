/** The connections from this process to the services, by address: plain, static:/// or k8s:///. */
import { channelOptions, policiesOf, registerDiscovery } from '@parley/discovery';
import { type Logger, type Metrics, packageDefinition, RpcChannel, StartError } from '@parley/kit';
import { serviceFiles } from '@parley/proto';
import type { Ports } from './ports.ts';

export type Target = keyof Ports['addresses'];

export interface Channels extends Disposable {
  /** @throws StartError that names the setting where nobody said where the service is. */
  to(target: Target): RpcChannel;
}

const settingOf: Record<Target, string> = {
  user: 'PARLEY_USER_ADDRESS',
  chat: 'PARLEY_CHAT_ADDRESS',
  order: 'PARLEY_ORDER_ADDRESS',
  payment: 'PARLEY_PAYMENT_ADDRESS',
};

export function openChannels(ports: Ports, token: () => string, log: Logger, metrics: Metrics): Channels {
  const stack = new DisposableStack();
  const byAddress = new Map<string, RpcChannel>();
  const weighted = Object.values(ports.addresses).some((address) => address && /^(k8s|static):/.test(address));
  if (weighted) {
    const discovery = registerDiscovery({ log, metrics });
    stack.defer(() => discovery.close());
  }
  const definition = packageDefinition();
  const methods = Object.keys(serviceFiles).flatMap((name) => policiesOf(definition[name] as never));
  return {
    to(target) {
      const address = ports.addresses[target];
      if (address === undefined) {
        throw new StartError(
          `${settingOf[target]} is not set: give host:port, static:///host:port or k8s:///service:grpc`,
        );
      }
      let channel = byAddress.get(address);
      if (channel === undefined) {
        channel = stack.use(
          new RpcChannel({ address, token, metrics, channelOptions: weighted ? channelOptions({ methods }) : {} }),
        );
        byAddress.set(address, channel);
      }
      return channel;
    },
    [Symbol.dispose]: () => stack.dispose(),
  };
}
