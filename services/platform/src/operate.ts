export async function operate(_env: NodeJS.ProcessEnv, _stop: AbortSignal): Promise<void> {}
export async function release(
  _options: { deployment?: string; secret?: string },
  _env: NodeJS.ProcessEnv,
): Promise<void> {}
