import { readOperatorConfig, runOperator, runRelease } from '@parley/operator';

/** `parley operator`. @throws StartError for settings that cannot be used. */
export async function operate(env: NodeJS.ProcessEnv, stop: AbortSignal): Promise<void> {
  await runOperator(readOperatorConfig(env), stop);
}

/** `parley operator release`: every ChatRoom can be deleted by anybody from then on. */
export async function release(env: NodeJS.ProcessEnv, stop: AbortSignal): Promise<void> {
  await runRelease(readOperatorConfig(env), stop);
}
