import { fileURLToPath } from 'node:url';

/** The folder of the built page: what the gateway serves. It is there after `npm run build`. */
export const webDirectory = fileURLToPath(new URL('./dist', import.meta.url));
