/** One call passed on: bytes unparsed, metadata both ways, back-pressure, and the other side's end as it was. */
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  Metadata,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { codeOf, type Method } from '@parley/kit';
import type { Lease } from './connections.ts';
import { cursorAfter } from './cursor-after.ts';

export type Incoming =
  | ServerUnaryCall<Buffer, Buffer>
  | ServerWritableStream<Buffer, Buffer>
  | ServerDuplexStream<Buffer, Buffer>;

/** A stream under way, which the proxy can end when it goes. */
export interface PassedStream {
  endUnavailable(): void;
}

export const asIs = (bytes: Buffer): Buffer => bytes;

export function passUnary(
  method: Method,
  call: ServerUnaryCall<Buffer, Buffer>,
  metadata: Metadata,
  { client, release }: Lease,
  answer: sendUnaryData<Buffer>,
  ended: (code: status) => void,
): void {
  let response: Buffer | undefined;
  const upstream = client.makeUnaryRequest(
    method.path,
    asIs,
    asIs,
    call.request,
    metadata,
    { deadline: call.getDeadline() },
    (_error, value) => {
      response = value;
    },
  );
  connect(call, upstream, (end) => {
    release();
    ended(end.code);
    if (end.code === status.OK) answer(null, response, end.metadata);
    else answer({ code: end.code, details: end.details, metadata: end.metadata });
  });
}

export function passStream(
  method: Method,
  call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  { client, release }: Lease,
  ended: (code: status) => void,
): PassedStream {
  const settings = { deadline: call.getDeadline() };
  const metadata = onward(call.metadata);
  const upstream =
    method.kind === 'bidi_stream'
      ? client.makeBidiStreamRequest(method.path, asIs, asIs, metadata, settings)
      : client.makeServerStreamRequest(
          method.path,
          asIs,
          asIs,
          (call as ServerWritableStream<Buffer, Buffer>).request,
          metadata,
          settings,
        );
  let last: Buffer | undefined;
  let end: StatusObject | undefined;
  let isRead = false;
  let isOver = false;
  const finish = (over: StatusObject) => {
    if (isOver) return;
    isOver = true;
    release();
    ended(over.code);
    if (over.code === status.OK) call.end(over.metadata);
    else call.emit('error', { code: over.code, details: over.details, metadata: over.metadata });
  };
  connect(call, upstream, (over) => {
    end = over;
    if (isRead || call.cancelled) finish(over);
  });
  upstream.on('error', () => undefined); // Said again, with its trailers, by the status.
  upstream.on('data', (bytes: Buffer) => {
    if (isOver) return;
    last = bytes;
    if (call.write(bytes)) return;
    upstream.pause();
    call.once('drain', () => upstream.resume());
  });
  upstream.once('end', () => {
    isRead = true;
    if (end) finish(end);
  });
  if (method.kind === 'bidi_stream') {
    passRequests(call as ServerDuplexStream<Buffer, Buffer>, upstream as ClientDuplexStream<Buffer, Buffer>);
  }
  return {
    endUnavailable() {
      const trailers = new Metadata();
      const cursor = last && cursorAfter(method, last);
      if (cursor) trailers.set('parley-cursor', cursor);
      finish({ code: status.UNAVAILABLE, details: 'this server is shutting down: connect again', metadata: trailers });
      upstream.cancel();
    },
  };
}

function passRequests(call: ServerDuplexStream<Buffer, Buffer>, upstream: ClientDuplexStream<Buffer, Buffer>): void {
  call.on('data', (bytes: Buffer) => {
    if (upstream.write(bytes)) return;
    call.pause();
    upstream.once('drain', () => call.resume());
  });
  call.once('end', () => upstream.end());
}

function connect(
  call: Incoming,
  upstream: ClientUnaryCall | ClientReadableStream<Buffer>,
  onStatus: (end: StatusObject) => void,
): void {
  // A union of emitters has no call signature in common, although each has this one.
  const events = upstream as ClientUnaryCall;
  events.once('metadata', (metadata: Metadata) => {
    if (!call.cancelled) call.sendMetadata(onward(metadata));
  });
  events.once('status', (end) => onStatus({ ...end, code: codeOf(end) }));
  (call as ServerUnaryCall<Buffer, Buffer>).once('cancelled', () => upstream.cancel());
}

/** What HTTP/2 and gRPC say to the next hop only. */
const hopByHop = [
  'accept-encoding',
  'content-type',
  'date',
  'grpc-accept-encoding',
  'grpc-encoding',
  'grpc-timeout',
  'host',
  'te',
  'user-agent',
];

/** Metadata for the next hop. */
export function onward(metadata: Metadata): Metadata {
  const passed = metadata.clone();
  for (const key of hopByHop) passed.remove(key);
  return passed;
}
