/** The paths that no method of the protos answers: streams and keys. */
export const byHand = {
  '/v1/rooms/{room_id}/events': {
    get: {
      operationId: 'roomEvents',
      summary: "A room's messages as server-sent events",
      description:
        'Events: `message` (a chat.ChatMessage, its id a cursor), `history_lost` {"reason"}, `closed` {"code","cursor"}.',
      tags: ['chat'],
      parameters: [
        { name: 'room_id', in: 'path', required: true, schema: { type: 'string' } },
        { name: 'after', in: 'query', required: false, schema: { type: 'string' }, description: 'A cursor.' },
        { name: 'Last-Event-ID', in: 'header', required: false, schema: { type: 'string' }, description: 'A cursor.' },
      ],
      responses: {
        '200': { description: 'A stream of events.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
        default: { $ref: '#/components/responses/Problem' },
      },
      security: [{}, { token: [] }],
    },
  },
  '/v1/ws': {
    get: {
      operationId: 'webSocket',
      summary: 'Many rooms, both ways, over a WebSocket',
      description:
        'Subprotocol parley.v1.json: text frames, each a chat.ClientFrame or chat.ServerFrame in JSON. Hello comes first.',
      tags: ['chat'],
      responses: {
        '101': { description: 'The WebSocket is open.' },
        default: { $ref: '#/components/responses/Problem' },
      },
      security: [{}],
    },
  },
  '/.well-known/jwks.json': {
    get: {
      operationId: 'jwks',
      summary: 'The keys that access tokens are verified with (RFC 7517)',
      tags: ['auth'],
      responses: {
        '200': { description: 'OK', content: { 'application/json': { schema: { type: 'object' } } } },
        default: { $ref: '#/components/responses/Problem' },
      },
      security: [{}],
    },
  },
};
