/** `parley`: one command line for every service, the operator and the client. */
import { addClientCommands } from '@parley/client/cli/commands';
import { StartError } from '@parley/kit';
import { Command, InvalidArgumentError } from 'commander';
import { stopSignal } from './signals.ts';

const program = new Command('parley')
  .description('Chat that a Kubernetes team runs the way it runs everything else.')
  .showHelpAfterError('(parley --help lists the commands)');

program
  .command('serve')
  .description('run all services in this process, or one of them')
  .argument('<service>', 'all, user, chat, order, payment or gateway')
  .action(async (service: string) => {
    const { serve } = await import('./serve.ts');
    await serve(service, process.env, stopSignal());
  });

program
  .command('migrate')
  .description("bring the database's schemas up to date, or say that they are newer than this version")
  .option('--patience <seconds>', 'where no database answers for so long, leave it to the services', seconds)
  .action(async ({ patience }: { patience?: number }) => {
    const { migrateAll } = await import('./migrate.ts');
    await migrateAll(process.env, patience);
  });

program
  .command('keys')
  .description('make a signing key: into a folder, or into a Kubernetes Secret that is not there yet')
  .option('--folder <path>', 'the folder')
  .option('--secret <name>', "the Secret, in the pod's namespace")
  .action(async (options: { folder?: string; secret?: string }) => {
    const { makeSigningKeys } = await import('./keys.ts');
    await makeSigningKeys(options);
  });

const operator = program.command('operator').description('run the operator');
operator.action(async () => {
  const { operate } = await import('./operate.ts');
  await operate(process.env, stopSignal());
});
operator
  .command('release')
  .description("take the operator's finalizers off its resources, before an uninstall")
  .action(async () => {
    const { release } = await import('./operate.ts');
    await release(process.env, stopSignal());
  });

program
  .command('cleanup')
  .description('after an uninstall, delete what Helm does not know of')
  .option('--secret <name>', 'the Secret of signing keys')
  .option('--lease <name>', "the operators' Lease")
  .action(async (options: { secret?: string; lease?: string }) => {
    const { cleanUp } = await import('./cleanup.ts');
    await cleanUp(options);
  });

program
  .command('smoke')
  .description('register, sign in, talk in a room and read it back through a gateway')
  .requiredOption('--url <url>', "the gateway's HTTP address")
  .requiredOption('--grpc <address>', "the gateway's gRPC address")
  .requiredOption('--keys <folder>', 'the folder of signing keys')
  .action(async (options: { url: string; grpc: string; keys: string }) => {
    const { smoke } = await import('./smoke.ts');
    await smoke(options);
  });

addClientCommands(program);

function seconds(text: string): number {
  const value = Number(text);
  if (value > 0 && value < 86_400) return value;
  throw new InvalidArgumentError('A number above 0 is allowed.');
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(error.message);
  process.exitCode = error.exitCode;
}
