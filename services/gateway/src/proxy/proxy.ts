export async function serveProxy(): Promise<never> {
  throw new Error('not yet');
}
