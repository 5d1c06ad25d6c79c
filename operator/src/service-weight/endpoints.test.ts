import { expect, test } from 'vitest';
import { type EndpointSlice, hasPort, readyEndpoints } from './endpoints.ts';

type Endpoint = NonNullable<EndpointSlice['endpoints']>[number];
const slice = (endpoints: Endpoint[], port = { name: 'grpc', port: 50051 }): EndpointSlice => ({
  metadata: { name: 'slice' },
  endpoints,
  ports: [port],
});
const at = (address: string, conditions?: Endpoint['conditions']): Endpoint => ({
  addresses: [address],
  ...(conditions === undefined ? {} : { conditions }),
});
const pod = (uid: string, address: string): Endpoint => ({ ...at(address), targetRef: { uid } });

test.each<[string, EndpointSlice[], number]>([
  ['no slices', [], 0],
  ['a ready one', [slice([at('10.0.0.1', { ready: true })])], 1],
  ['one that says nothing', [slice([at('10.0.0.1')])], 1],
  ['one that is not ready', [slice([at('10.0.0.1', { ready: false })])], 0],
  ['one that is terminating', [slice([at('10.0.0.1', { ready: true, terminating: true })])], 0],
  ['the same address in two slices', [slice([at('10.0.0.1')]), slice([at('10.0.0.1'), at('10.0.0.2')])], 2],
  [
    'two pods with an address in each family',
    [slice([pod('a', '10.0.0.1'), pod('b', '10.0.0.2')]), slice([pod('a', 'fd00::1'), pod('b', 'fd00::2')])],
    2,
  ],
  ['a slice without the port', [slice([at('10.0.0.1')], { name: 'http', port: 8080 })], 0],
  ['no endpoints at all', [{ metadata: { name: 'slice' }, ports: [{ name: 'grpc' }] }], 0],
  ['the slice of a Service without pods', [{ metadata: { name: 'slice' }, endpoints: null, ports: null }], 0],
])('%s', (_, slices, expected) => {
  expect(readyEndpoints(slices, 'grpc')).toBe(expected);
});

test("a port is found by name and by the pods' number", () => {
  const service = (port: number, targetPort?: number | string) => ({
    metadata: { name: 's' },
    spec: { ports: [{ name: 'grpc', port, ...(targetPort === undefined ? {} : { targetPort }) }] },
  });
  const found = (...ports: [number, (number | string)?]) =>
    ['grpc', '50051', '80', 'http'].filter((port) => hasPort(service(...ports), port));
  expect(found(50051)).toEqual(['grpc', '50051']);
  expect(found(80, 50051)).toEqual(['grpc', '50051']);
  // A number that only the pods know.
  expect(found(80, 'main')).toEqual(['grpc', '50051', '80']);
  expect(readyEndpoints([slice([at('10.0.0.1')])], '50051')).toBe(1);
});
