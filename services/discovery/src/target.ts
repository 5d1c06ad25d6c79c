import type { WeightedBackend } from './endpoints.ts';
import { weightProblem } from './weights.ts';

/** The parts of a target string, as grpc-js splits it. */
export interface TargetUri {
  scheme?: string;
  authority?: string;
  path: string;
}

export interface KubernetesTarget {
  service: string;
  /** Undefined: the caller's own namespace. */
  namespace: string | undefined;
  /** A port's name, a pod's port number, or undefined for the only one or the one named grpc. */
  port: string | number | undefined;
}

const label = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
const kubernetesPath = new RegExp(`^(${label})(?:\\.(${label}))?(?::([a-z0-9-]{1,15}))?$`);

/**
 * Parses `k8s:///service[.namespace][:port]`.
 * @throws Error that says what is allowed
 */
export function parseKubernetesTarget(uri: TargetUri): KubernetesTarget {
  const match = kubernetesPath.exec(uri.path);
  const port = match?.[3];
  const numeric = port !== undefined && /^\d+$/.test(port);
  if (uri.authority || !match || (numeric && !isPort(Number(port)))) {
    throw new Error(
      `target ${show(uri)} does not parse; allowed is k8s:///service[.namespace][:port], where names are DNS labels ` +
        "and the port is a port's name or a number from 1 to 65535: k8s:///parley-chat.default:grpc",
    );
  }
  return { service: match[1]!, namespace: match[2], port: numeric ? Number(port) : port };
}

const staticEntry = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^[\]:*,/\s]+)):(\d{1,5})(?:\*([^*]*))?$/;

/**
 * Parses `static:///host:port*weight,host:port`: each entry is a backend of its own; without a weight it has 1.
 * @throws Error that says what is allowed
 */
export function parseStaticTarget(uri: TargetUri): WeightedBackend[] {
  const refuse = (why: string) =>
    new Error(
      `target ${show(uri)} does not parse: ${why}; allowed is static:///host:port*weight,host:port, with IPv6 ` +
        'addresses in brackets and weights from 0 to 1,000,000 (1 when left out): static:///10.0.0.1:50051*90,[::1]:50051*10',
    );
  if (uri.authority) throw refuse(`${JSON.stringify(uri.authority)} stands where nothing is allowed`);
  const backends = uri.path.split(',').map((entry): WeightedBackend => {
    const [, ipv6, name, port, weight = '1'] = staticEntry.exec(entry) ?? [];
    if (!isPort(Number(port))) throw refuse(`${JSON.stringify(entry)} is not host:port or host:port*weight`);
    const wrong = /^-?[\d.]+(e\d+)?$/i.test(weight) ? weightProblem(Number(weight)) : weightProblem(weight);
    if (wrong) throw refuse(wrong);
    const host = (ipv6 ?? name)!;
    const id = ipv6 ? `[${ipv6}]:${port}` : `${name}:${port}`;
    const addresses = [{ host, port: Number(port) }];
    return { name: id, weight: Number(weight), endpoints: [{ id, addresses, weight: 1 }] };
  });
  const twice = backends.find(({ name }, at) => backends.findIndex((other) => other.name === name) !== at);
  if (twice) throw refuse(`${twice.name} is there twice`);
  const weighted = backends.filter(({ weight }) => weight > 0);
  return weighted.length > 0 ? weighted : backends.map((backend) => ({ ...backend, weight: 1 }));
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function show({ scheme, authority, path }: TargetUri): string {
  return JSON.stringify(`${scheme}:${authority === undefined ? '' : `//${authority}/`}${path}`);
}
