/** The long run: `node services/platform/soak.ts --minutes 30 --every 60`. Ends with 1 where anything is wrong. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tableOf } from './src/testing/soak/report.ts';
import { runSoak } from './src/testing/soak/soak.ts';

const usage = `node services/platform/soak.ts [options]

Runs every service as processes over PostgreSQL and Redis, under steady load and with a fault every so often, and
judges it: nothing acknowledged is lost or repeated, all books balance, no process ends by itself, memory does not grow.
Ctrl-C ends it early; what there is by then is judged.

  --minutes <n>  how long (30); memory is judged from 9 minutes on
  --every <s>    seconds from one fault to the next (60)
  --rate <n>     messages a second (50)
  --help         this text`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    every: { type: 'string', default: '60' },
    rate: { type: 'string', default: '50' },
    help: { type: 'boolean', default: false },
  },
});

function positive(name: 'minutes' | 'every' | 'rate'): number {
  const value = Number(values[name]);
  if (value > 0 && Number.isFinite(value)) return value;
  process.stderr.write(`--${name} is ${JSON.stringify(values[name])}; a number above 0 is allowed\n`);
  process.exit(2);
}

/** Ctrl-C in a terminal goes to every process of it, the services too: so they are in a session of their own, beyond it. */
function inOwnSession(): void {
  const child = fork(fileURLToPath(import.meta.url), process.argv.slice(2), { detached: true });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill('SIGTERM'));
  child.once('exit', (code) => process.exit(code ?? 1));
}

async function run(options: Parameters<typeof runSoak>[0]): Promise<void> {
  const stop = new AbortController();
  // Each server that runs is ended with this process.
  process.setMaxListeners(100);
  process.on('SIGTERM', () => (stop.signal.aborted ? process.exit(130) : stop.abort()));
  // Whoever started it is gone, and would not see the end.
  process.once('disconnect', () => stop.abort());
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const report = await runSoak(options, stop.signal, say);
  say(`\n${tableOf(report)}\n`);
  for (const violation of report.violations) say(`- ${violation}`);
  say(report.violations.length === 0 ? 'All is well.' : `${report.violations.length} things are wrong.`);
  process.exit(report.violations.length === 0 ? 0 : 1);
}

if (values.help) process.stdout.write(`${usage}\n`);
else {
  const options = {
    minutes: positive('minutes'),
    everySeconds: positive('every'),
    messagesPerSecond: positive('rate'),
  };
  if (process.connected) await run(options);
  else inOwnSession();
}
