import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { credentials, loadPackageDefinition, Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { FileDescriptorProto } from 'protobufjs/ext/descriptor/index.js';
import { expect, test } from 'vitest';
import { packageDefinition } from './definitions.ts';
import { addReflection } from './reflection.ts';

const library = dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json'));
const { v1 } = (
  loadPackageDefinition(
    loadSync(join(library, 'build/proto/grpc/reflection/v1/reflection.proto'), { keepCase: true }),
    // biome-ignore lint/suspicious/noExplicitAny: the library's own definition, which has no types.
  ) as any
).grpc.reflection;

test('every service and message of the API can be asked for, and the services told are those that are served', async () => {
  const server = new Server();
  addReflection(server, ['chat.ChatService']);
  const port = await new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const client = new v1.ServerReflection(`127.0.0.1:${port}`, credentials.createInsecure());
  const symbols = Object.keys(packageDefinition());
  const stream = client.serverReflectionInfo();
  stream.write({ list_services: '' });
  for (const symbol of symbols) stream.write({ file_containing_symbol: symbol });
  stream.end();
  const answers = await stream.toArray();
  client.close();
  server.forceShutdown();

  expect(answers[0].list_services_response.service).toEqual([{ name: 'chat.ChatService' }]);
  for (const [index, symbol] of symbols.entries()) {
    const { file_descriptor_response: found } = answers[index + 1];
    const files = found.file_descriptor_proto.map((bytes: Buffer) => FileDescriptorProto.toObject(decode(bytes)));
    const packages = files.map((file: { package: string }) => file.package);
    expect(packages, symbol).toContain(packageOf(symbol));
  }
});

const decode = (bytes: Buffer) => FileDescriptorProto.decode(bytes);

/** `chat.Message.Type` is in the package `chat`: packages' names are small. */
const packageOf = (symbol: string): string => /^(?:[a-z_0-9]+\.)*[a-z_0-9]+(?=\.)/.exec(symbol)![0];
