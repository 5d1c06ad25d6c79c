import { CHAT_ROOMS } from './chat-room.ts';
import { conditionsSchema, type Definition, durationSchema, type Schema } from './schema.ts';

const usernames = (description: string, maxItems: number): Schema => ({
  type: 'array',
  description,
  maxItems,
  'x-kubernetes-list-type': 'set',
  items: { type: 'string', minLength: 1, maxLength: 64, pattern: '^\\S+$' },
});

/** What may be in the spec of a ChatRoom. */
export const chatRoomSpec: Schema = {
  type: 'object',
  description: 'The room as it shall be.',
  required: ['displayName'],
  properties: {
    roomId: {
      type: 'string',
      description: 'The id under which clients join the room. metadata.name by default. It cannot be changed.',
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$',
      maxLength: 128,
    },
    displayName: {
      type: 'string',
      description: 'The name that people see, 1 to 80 characters.',
      minLength: 1,
      maxLength: 80,
      pattern: '\\S',
    },
    topic: { type: 'string', description: 'What the room is about, at most 500 characters.', maxLength: 500 },
    visibility: {
      type: 'string',
      description: 'Who may join: everyone (public), or members and moderators only (private).',
      enum: ['public', 'private'],
      default: 'public',
    },
    members: usernames(
      'Usernames: who may join a private room. A name means who had it when it was first applied here; names that nobody has are listed in the condition MembersResolved.',
      1000,
    ),
    moderators: usernames(
      'Usernames: who may remove messages and members, and mute. They may join a private room too.',
      100,
    ),
    maxMembers: {
      type: 'integer',
      format: 'int32',
      description: 'How many may be in the room at once, 1 to 100,000. No limit by default.',
      minimum: 1,
      maximum: 100_000,
    },
    retention: {
      type: 'object',
      description: 'How long messages are kept.',
      default: {},
      properties: {
        maxMessages: {
          type: 'integer',
          format: 'int32',
          description: 'How many messages are kept, 1 to 100,000.',
          minimum: 1,
          maximum: 100_000,
          default: 1000,
        },
        maxAge: durationSchema('How old messages get before they go. No limit by default.', '1m', '87600h'),
      },
    },
    historyOnJoin: {
      type: 'integer',
      format: 'int32',
      description:
        'How many messages a joining member is shown, 0 to 1,000, and no more than retention.maxMessages. 50 by default.',
      minimum: 0,
      maximum: 1000,
    },
    rateLimit: {
      type: 'object',
      description: 'How fast one member may send. No limit by default.',
      required: ['messagesPerMinute'],
      properties: {
        messagesPerMinute: {
          type: 'integer',
          format: 'int32',
          description: 'Messages a minute over time, 1 to 60,000.',
          minimum: 1,
          maximum: 60_000,
        },
        burst: {
          type: 'integer',
          format: 'int32',
          description: 'Messages at once, 1 to 1,000.',
          minimum: 1,
          maximum: 1000,
          default: 10,
        },
      },
    },
    welcomeMessage: {
      type: 'string',
      description: 'Shown to who joins, at most 2,000 characters.',
      maxLength: 2000,
    },
    archived: { type: 'boolean', description: 'Readable, not writable.', default: false },
    deletionPolicy: {
      type: 'string',
      description: 'What happens to the history when this resource is deleted: Retain keeps it, Delete deletes it.',
      enum: ['Retain', 'Delete'],
      default: 'Retain',
    },
  },
  'x-kubernetes-validations': [
    {
      rule: '!has(self.historyOnJoin) || !has(self.retention) || !has(self.retention.maxMessages) || self.historyOnJoin <= self.retention.maxMessages',
      message: 'spec.historyOnJoin must not be above spec.retention.maxMessages',
      fieldPath: '.historyOnJoin',
    },
  ],
};

const chatRoomStatus: Schema = {
  type: 'object',
  description: 'The room as it is, written by the operator.',
  properties: {
    roomId: { type: 'string', description: "The room's id." },
    observedGeneration: { type: 'integer', format: 'int64', description: 'The metadata.generation last looked at.' },
    conditions: conditionsSchema(
      'Ready: the room is as the spec says. MembersResolved: every name in members and moderators is a user. Drifted: the room was changed behind this resource, and has been put right, within the last minutes.',
    ),
    members: { type: 'integer', format: 'int32', description: 'How many are in the room. Some seconds old.' },
    messages: { type: 'integer', format: 'int64', description: 'How many messages are kept. Some seconds old.' },
    lastMessageTime: {
      type: 'string',
      format: 'date-time',
      description: 'When the newest message was sent. Some seconds old.',
    },
    digest: {
      type: 'string',
      description:
        'What chat answered when the spec was applied: another digest there means that the room has drifted.',
    },
    lastDriftTime: {
      type: 'string',
      format: 'date-time',
      description: 'When the room was last put right after a change behind this resource.',
    },
    users: {
      type: 'array',
      description: 'Who the names in members and moderators were when they were first applied.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['username'],
      items: {
        type: 'object',
        required: ['username', 'id'],
        properties: {
          username: { type: 'string', description: 'The name.' },
          id: { type: 'string', description: 'The user id.' },
        },
      },
    },
  },
};

/** The CustomResourceDefinition of ChatRoom, as data. */
export const chatRoomDefinition: Definition = {
  resource: CHAT_ROOMS,
  singular: 'chatroom',
  shortNames: ['room', 'rooms'],
  description:
    'A chat room and its rules. It is made when this is applied, and put right when it is changed elsewhere.',
  spec: chatRoomSpec,
  status: chatRoomStatus,
  rules: [
    {
      rule: '(has(self.spec.roomId) ? self.spec.roomId : self.metadata.name) == (has(oldSelf.spec.roomId) ? oldSelf.spec.roomId : oldSelf.metadata.name)',
      message: 'spec.roomId is immutable: another room needs another resource',
      fieldPath: '.spec.roomId',
    },
    {
      rule: 'has(self.spec.roomId) || size(self.metadata.name) <= 128',
      message: 'spec.roomId must be given where metadata.name has more than 128 characters',
      fieldPath: '.spec.roomId',
      reason: 'FieldValueRequired',
    },
  ],
  columns: [
    { name: 'Room', type: 'string', jsonPath: '.status.roomId' },
    { name: 'Visibility', type: 'string', jsonPath: '.spec.visibility' },
    { name: 'Members', type: 'integer', jsonPath: '.status.members' },
    { name: 'Messages', type: 'integer', jsonPath: '.status.messages' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: 'Last message', type: 'date', jsonPath: '.status.lastMessageTime' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason', priority: 1 },
    { name: 'Display name', type: 'string', jsonPath: '.spec.displayName', priority: 1 },
    { name: 'Archived', type: 'string', jsonPath: '.spec.archived', priority: 1 },
  ],
};
