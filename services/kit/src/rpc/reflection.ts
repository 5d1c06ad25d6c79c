/** Server reflection: which services there are and what their messages look like, for grpcurl and its like. */
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { packageDefinition } from './definitions.ts';

/** Lets a server tell of these services, by their full names. */
export function addReflection(server: Server, services: string[]): void {
  new ReflectionService(oneTypePerFiles() as never, { services }).addToServer(server as never);
}

/** The library decodes the files that a type is from, type by type; as all of ours name the same, one type will do. */
function oneTypePerFiles(): Record<string, object> {
  const byFiles = new Map<unknown, [name: string, type: object]>();
  for (const entry of Object.entries(packageDefinition())) {
    const { fileDescriptorProtos } = entry[1] as { fileDescriptorProtos?: unknown };
    if (fileDescriptorProtos) byFiles.set(fileDescriptorProtos, entry);
  }
  return Object.fromEntries(byFiles.values());
}
