import type { FastifyReply, FastifyRequest } from 'fastify';
import { HttpError } from './problem.ts';

/** A known path with another verb: 405, and the header Allow that goes with it (RFC 9110, section 15.5.6). */
export function notAllowed({ method }: FastifyRequest, reply: FastifyReply, verbs: readonly string[]): HttpError {
  void reply.header('allow', verbs.join(', '));
  return new HttpError(405, 'UNIMPLEMENTED', `${method} is not allowed at this path; ${verbs.join(', ')} is`);
}
