import { isIPv4, isIPv6 } from 'node:net';
import type { EndpointSlice, SliceEndpoint } from './kubernetes.ts';

/** One pod (or other endpoint) of a Service, with one address a family. */
export interface FoundEndpoint {
  /** The same for as long as it is the same endpoint, whatever slices it moves between. */
  id: string;
  addresses: { host: string; port: number }[];
}

/** What a Service's slices come to. */
export interface Found {
  endpoints: FoundEndpoint[];
  /** Why there are fewer than one might expect, in words for a log or an error. */
  problems: string[];
}

interface Candidate extends FoundEndpoint {
  rank: number;
  zones: string[];
}

const ready = 0;
const lastResort = 1;
const unusable = 2;

/**
 * The endpoints of one Service to be called: the union over its slices, each endpoint once, of those that are ready and
 * not terminating or, where there are none, of those that are still serving while they terminate. Of these, the ones
 * meant for the zone, when every one says which zones it is meant for and any is meant for this one.
 *
 * @param port a port's name, a pod's port number, or undefined for the only one or the one named grpc
 */
export function endpointsOf(
  service: string,
  slices: readonly EndpointSlice[],
  port: string | number | undefined,
  zone: string | undefined,
): Found {
  const problems = new Set<string>();
  const byId = new Map<string, Candidate>();
  const owner = new Map<string, string>();
  for (const slice of slices) {
    const number = portOf(service, slice, port, problems);
    if (number === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) add(byId, owner, slice, endpoint, number);
  }
  const all = [...byId.values()];
  const best = Math.min(...all.map(({ rank }) => rank), unusable);
  const usable = best === unusable ? [] : all.filter(({ rank }) => rank === best);
  if (usable.length === 0) problems.add(noneUsable(service, slices.length, all.length));
  return {
    endpoints: inZone(usable, zone)
      .map(({ id, addresses }) => ({ id, addresses }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    problems: [...problems],
  };
}

function add(
  byId: Map<string, Candidate>,
  owner: Map<string, string>,
  slice: EndpointSlice,
  endpoint: SliceEndpoint,
  port: number,
): void {
  const host = endpoint.addresses[0];
  const known = slice.addressType === 'IPv4' ? isIPv4 : slice.addressType === 'IPv6' ? isIPv6 : () => false;
  if (host === undefined || !known(host)) return;
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  // A pod of two families is in two slices; its uid says that it is one pod. While it moves between slices it can be
  // in two of the same family, one of them out of date.
  const id = owner.get(place) ?? (endpoint.targetRef?.uid ? `${endpoint.targetRef.uid}:${port}` : place);
  owner.set(place, id);
  const rank = rankOf(endpoint);
  const zones = endpoint.hints?.forZones?.map(({ name }) => name) ?? [];
  const before = byId.get(id);
  if (!before) {
    byId.set(id, { id, addresses: [{ host, port }], rank, zones });
    return;
  }
  before.rank = Math.min(before.rank, rank);
  if (before.zones.length === 0) before.zones = zones;
  if (!before.addresses.some((address) => address.host === host)) before.addresses.push({ host, port });
}

function rankOf({ conditions }: SliceEndpoint): number {
  const terminating = conditions?.terminating ?? false;
  if ((conditions?.ready ?? true) && !terminating) return ready;
  return (conditions?.serving ?? true) && terminating ? lastResort : unusable;
}

function portOf(
  service: string,
  slice: EndpointSlice,
  wanted: string | number | undefined,
  problems: Set<string>,
): number | undefined {
  const ports = (slice.ports ?? []).filter(({ protocol }) => (protocol ?? 'TCP') === 'TCP');
  // No ports in a slice means all ports, for which only a number will do.
  if (ports.length === 0 && typeof wanted === 'number') return wanted;
  const only = ports.length === 1 ? ports[0] : ports.find(({ name }) => name === 'grpc');
  const chosen =
    wanted === undefined ? only : ports.find(({ name, port }) => (typeof wanted === 'number' ? port : name) === wanted);
  if (chosen?.port) return chosen.port;
  const there = ports.map(({ name, port }) => (name ? `${name} (${port})` : `${port}`)).join(', ') || 'none';
  const missing = wanted === undefined ? 'needs a port in its target' : `has no port ${JSON.stringify(wanted)}`;
  problems.add(`Service ${service} ${missing}; its pods' ports are: ${there}`);
  return undefined;
}

function inZone(endpoints: Candidate[], zone: string | undefined): Candidate[] {
  if (zone === undefined || endpoints.some(({ zones }) => zones.length === 0)) return endpoints;
  const near = endpoints.filter(({ zones }) => zones.includes(zone));
  return near.length > 0 ? near : endpoints;
}

function noneUsable(service: string, slices: number, endpoints: number): string {
  if (slices === 0) return `Service ${service} has no EndpointSlices: does it exist, with a selector?`;
  return `Service ${service} has no ready endpoint (${endpoints} in ${slices} EndpointSlices)`;
}
