export { addressOf } from './address.ts';
export * from './auth/caller.ts';
export * from './auth/keys.ts';
export { followRevocations } from './auth/revocations.ts';
export * from './auth/tokens.ts';
export { Batch, type BatchSettings, type RunBatch } from './batch.ts';
export { type DataFolder, openDataFolder } from './database/data-folder.ts';
export { Database, type DatabaseSettings } from './database/database.ts';
export { migrate, refuseNewer, type SchemaHistory } from './database/migrations.ts';
export * from './errors.ts';
export { createLog, type Logger, logLevels, silentLog } from './log.ts';
export * from './metrics.ts';
export { type OperationsServer, portError, Readiness, type ReadinessCheck, serveOperations } from './operations.ts';
export { repeat } from './repeat.ts';
export type { Access, AuthMode } from './rpc/access.ts';
export {
  type CallSettings,
  type ClientSettings,
  type DuplexCall,
  type ReadableCall,
  RpcChannel,
  type RpcClient,
} from './rpc/client.ts';
export type { CallContext } from './rpc/context.ts';
export {
  type HttpRule,
  loaderOptions,
  type Method,
  messageCodec,
  methodsOf,
  packageDefinition,
} from './rpc/definitions.ts';
export type { FramedWriter } from './rpc/framed-writer.ts';
export { frame, unframe, writePrefix } from './rpc/framing.ts';
export * from './rpc/implementation.ts';
export { addReflection } from './rpc/reflection.ts';
export { defaultServerOptions, RpcServer, type ServerSettings } from './rpc/server.ts';
export { codeOf, fromServiceError, toStatus } from './rpc/status.ts';
export { StrictReader } from './rpc/strict-reader.ts';
export type { Service } from './service.ts';
export * from './settings.ts';
export * from './tracing.ts';
