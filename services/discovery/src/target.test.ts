import { describe, expect, it } from 'vitest';
import { parseKubernetesTarget, parseStaticTarget } from './target.ts';

const kubernetes = (path: string) => parseKubernetesTarget({ scheme: 'k8s', authority: '', path });
const fixed = (path: string) => parseStaticTarget({ scheme: 'static', authority: '', path });

describe('k8s:///', () => {
  it('takes a Service, its namespace and a port by name or number', () => {
    expect(kubernetes('chat')).toEqual({ service: 'chat', namespace: undefined, port: undefined });
    expect(kubernetes('chat.prod')).toEqual({ service: 'chat', namespace: 'prod', port: undefined });
    expect(kubernetes('chat:grpc')).toEqual({ service: 'chat', namespace: undefined, port: 'grpc' });
    expect(kubernetes('chat.prod:50051')).toEqual({ service: 'chat', namespace: 'prod', port: 50051 });
  });

  it.each([
    '',
    'Chat',
    'chat.',
    '.prod',
    'chat.prod.svc',
    'chat:',
    'chat:0',
    'chat:65536',
    'chat:grpc:1',
    'chat/x',
    '-a',
    'a_b',
  ])('refuses %j and says what is allowed', (path) => {
    expect(() => kubernetes(path)).toThrow('allowed is k8s:///service[.namespace][:port]');
  });

  it('refuses an authority', () => {
    expect(() => parseKubernetesTarget({ scheme: 'k8s', authority: 'chat', path: 'grpc' })).toThrow(
      '"k8s://chat/grpc"',
    );
  });
});

describe('static:///', () => {
  const shares = (path: string) => fixed(path).map(({ name, weight }) => [name, weight]);

  it('takes hosts with ports and weights, and IPv6 in brackets', () => {
    expect(shares('10.0.0.1:50051*90,[::1]:50051*10,localhost:1')).toEqual([
      ['10.0.0.1:50051', 90],
      ['[::1]:50051', 10],
      ['localhost:1', 1],
    ]);
    expect(fixed('[::1]:50051')[0]!.endpoints[0]!.addresses).toEqual([{ host: '::1', port: 50051 }]);
  });

  it('leaves out weight 0, unless all are 0: then it is even', () => {
    expect(shares('a:1*0,b:2*5')).toEqual([['b:2', 5]]);
    expect(shares('a:1*0,b:2*0')).toEqual([
      ['a:1', 1],
      ['b:2', 1],
    ]);
  });

  it.each(['', 'a', 'a:', 'a:0', 'a:65536', 'a:b', '::1:50051', 'a:1,', 'a:1,,b:2', 'a b:1', 'a:1,a:1', 'a:1*'])(
    'refuses %j and says what is allowed',
    (path) => {
      expect(() => fixed(path)).toThrow('allowed is static:///host:port*weight,host:port');
    },
  );

  it.each(['-1', '0.5', '2147483648', '1000001', 'NaN', 'x', '1e9'])('refuses the weight %s', (weight) => {
    expect(() => fixed(`a:1*${weight}`)).toThrow('allowed are whole numbers from 0 to 1,000,000');
  });
});
