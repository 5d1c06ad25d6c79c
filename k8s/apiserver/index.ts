export { type ApiServer, startApiServer } from './apiserver.ts';
export { lendApiServer } from './lent.ts';
export { findPrograms } from './programs.ts';
