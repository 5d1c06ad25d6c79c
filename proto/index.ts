import { fileURLToPath } from 'node:url';

/** The folder that holds the .proto files, for @grpc/proto-loader's includeDirs. */
export const protoDirectory = fileURLToPath(new URL('.', import.meta.url));
