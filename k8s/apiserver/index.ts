export { type ApiServer, type ApiServerOptions, startApiServer } from './apiserver.ts';
export { findPrograms } from './programs.ts';
