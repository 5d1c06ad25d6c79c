/** The API's services as grpc-js sees them, loaded from the .proto files at run time. */
import type { MethodDefinition, PackageDefinition, ServiceDefinition } from '@grpc/proto-loader';
import { loadSync } from '@grpc/proto-loader';
import { protoDirectory, type ServiceName, serviceFiles } from '@parley/proto';
import { AppError } from '../errors.ts';
import type { RpcKind } from '../metrics.ts';
import { StrictReader } from './strict-reader.ts';

/** How messages look in JavaScript: proto field names, 64-bit integers and enums as text, defaults present. */
export const loaderOptions = {
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  arrays: true,
  oneofs: true,
  includeDirs: [protoDirectory],
};

let loaded: PackageDefinition | undefined;

/** All of the API's files and those they import. */
export function packageDefinition(): PackageDefinition {
  loaded ??= loadSync(
    [...new Set(Object.values(serviceFiles)), 'google/rpc/status.proto', 'google/rpc/error_details.proto'],
    loaderOptions,
  );
  return loaded;
}

export type AnyMethod = MethodDefinition<object, object>;

export interface HttpRule {
  get?: string;
  put?: string;
  post?: string;
  patch?: string;
  delete?: string;
  body?: string;
}

/** One method of the API. */
export interface Method {
  service: ServiceName;
  /** As in the proto: `SendMessage`. */
  name: string;
  /** `/chat.ChatService/SendMessage`. */
  path: string;
  kind: RpcKind;
  /** May be sent again when nobody knows whether it arrived. */
  idempotent: boolean;
  /** The google.api.http option. */
  http: HttpRule | undefined;
  /** @throws AppError INVALID_ARGUMENT for bytes that are not this message, or hold text that is not UTF-8. */
  decodeRequest(bytes: Buffer): object;
  encodeRequest(message: object): Buffer;
  decodeResponse(bytes: Buffer): object;
  encodeResponse(message: object): Buffer;
  definition: AnyMethod;
}

const methods = new Map<ServiceName, Method[]>();

/** The methods of a service, in the order of the proto. */
export function methodsOf(service: ServiceName): Method[] {
  let found = methods.get(service);
  if (found === undefined) {
    const definition = packageDefinition()[service] as ServiceDefinition;
    found = Object.entries(definition).map(([name, method]) => describe(service, name, method as AnyMethod));
    methods.set(service, found);
  }
  return found;
}

function describe(service: ServiceName, name: string, definition: AnyMethod): Method {
  const options = definition.options as { idempotency_level?: string; '(google.api.http)'?: HttpRule } | undefined;
  return {
    service,
    name,
    path: definition.path,
    kind: kindOf(definition),
    idempotent: options?.idempotency_level === 'NO_SIDE_EFFECTS' || options?.idempotency_level === 'IDEMPOTENT',
    http: options?.['(google.api.http)'],
    decodeRequest: (bytes) => strictly(definition.requestDeserialize, bytes),
    encodeRequest: definition.requestSerialize,
    decodeResponse: definition.responseDeserialize,
    encodeResponse: definition.responseSerialize,
    definition,
  };
}

function kindOf({ requestStream, responseStream }: AnyMethod): RpcKind {
  if (requestStream) return responseStream ? 'bidi_stream' : 'client_stream';
  return responseStream ? 'server_stream' : 'unary';
}

function strictly(deserialize: (bytes: Buffer) => object, bytes: Buffer): object {
  try {
    // protobufjs takes a Reader where it takes bytes, and proto-loader passes it on.
    return deserialize(new StrictReader(bytes) as unknown as Buffer);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError('INVALID_ARGUMENT', `the request is not a well-formed protobuf message: ${why}`, { cause });
  }
}

/** The protobuf type of a message that no method names, such as `google.rpc.Status`. */
export function messageCodec(name: string): { encode(message: object): Buffer; decode(bytes: Buffer): object } {
  const type = packageDefinition()[name] as unknown as { serialize(m: object): Buffer; deserialize(b: Buffer): object };
  return { encode: type.serialize, decode: type.deserialize };
}
