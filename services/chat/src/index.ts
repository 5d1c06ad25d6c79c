export { chatSchema } from './log/database/schema.ts';
export type { ChatLog } from './log/log.ts';
export { type ChatServiceParts, createChatService } from './service.ts';
export { type ChatSettings, chatSettings } from './settings.ts';
