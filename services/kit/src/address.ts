import { isIPv6 } from 'node:net';

/** Whom a peer's address stands for: an IPv4 address, or the /64 of an IPv6 one, since every host has as many as it likes. */
export function addressOf(peer: string): string {
  const host = (peer.split(',')[0] ?? '').trim();
  const bare = /^\[(.+)\](?::\d+)?$/.exec(host)?.[1] ?? (isIPv6(host) ? host : host.replace(/:\d+$/, ''));
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  return isIPv6(bare) ? network(bare) : bare.slice(0, 64);
}

/** The first four groups of an IPv6 address. */
function network(address: string): string {
  const [head = '', tail] = (address.split('%')[0] ?? '').toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...new Array<string>(Math.max(0, zeros)).fill('0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
