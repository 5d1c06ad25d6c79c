/**
 * What a pick costs: the two-level rotation against grpc-js's round_robin, with connected endpoints of one backend (the
 * balancers' own pickers, without calls). Run: node services/discovery/bench.ts
 */
import { connectivityState, experimental, Metadata } from '@grpc/grpc-js';
import { backendsAttribute } from './src/balancer.ts';
import type { WeightedBackend } from './src/endpoints.ts';
import { registerDiscovery } from './src/index.ts';

registerDiscovery();

/** A connection that is there and never changes: what a pick costs does not depend on it. */
const connected = {
  getConnectivityState: () => connectivityState.READY,
  addConnectivityStateListener() {},
  removeConnectivityStateListener() {},
  addHealthStateWatcher() {},
  removeHealthStateWatcher() {},
  startConnecting() {},
  getAddress: () => '',
  ref() {},
  unref() {},
  getChannelzRef: () => ({ kind: 'subchannel', id: 0, name: '' }),
  isHealthy: () => true,
  realSubchannelEquals: () => true,
} as unknown as experimental.SubchannelInterface;

function picker(policy: string, backends: WeightedBackend[]): experimental.Picker {
  let latest: experimental.Picker | undefined;
  const config = experimental.parseLoadBalancingConfig({ [policy]: {} });
  const handler = new experimental.ChildLoadBalancerHandler({
    createSubchannel: () => connected,
    updateState: (_state: connectivityState, picker: experimental.Picker) => {
      latest = picker;
    },
    requestReresolution() {},
    addChannelzChild() {},
    removeChannelzChild() {},
  });
  const endpoints = backends.flatMap((backend) => backend.endpoints.map(({ addresses }) => ({ addresses })));
  const list = experimental.statusOrFromValue(endpoints);
  handler.updateAddressList(list, config, { [backendsAttribute]: backends } as object, '');
  return latest!;
}

function backend(name: string, weight: number, size: number): WeightedBackend {
  const endpoints = Array.from({ length: size }, (_, at) => {
    const id = `${name}-${at}`;
    return { id, addresses: [{ host: `10.${name.length}.${at >> 8}.${at & 255}`, port: 50051 }], weight: 10 };
  });
  return { name, weight, endpoints };
}

function nanosecondsPerPick(picker: experimental.Picker): number {
  const args = { metadata: new Metadata(), extraPickInfo: {} };
  const picks = 1_000_000;
  const round = () => {
    const began = process.hrtime.bigint();
    for (let pick = 0; pick < picks; pick++) picker.pick(args);
    return Number(process.hrtime.bigint() - began) / picks;
  };
  round();
  return Math.min(round(), round(), round());
}

const ns = (value: number) => `${value.toFixed(0)} ns`.padStart(8);
console.log('endpoints   round_robin   parley_weighted   parley_weighted 90/10 of two backends');
for (const size of [10, 100, 1_000]) {
  const one = [backend('a', 1, size)];
  const two = [backend('a', 90, size / 2), backend('bb', 10, size / 2)];
  const row = [picker('round_robin', one), picker('parley_weighted', one), picker('parley_weighted', two)];
  const [robin, weighted, split] = row.map(nanosecondsPerPick) as [number, number, number];
  console.log(`${String(size).padStart(9)}   ${ns(robin)}      ${ns(weighted)}          ${ns(split)}`);
}
