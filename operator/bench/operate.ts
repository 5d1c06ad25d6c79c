// The operator as a process of its own, as `parley operator` runs it.
import { readOperatorConfig, runOperator } from '../src/index.ts';

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await runOperator(readOperatorConfig(process.env), stop.signal);
