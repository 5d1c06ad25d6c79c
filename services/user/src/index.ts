export { userSchema } from './schema.ts';
export { createUserService, type UserServiceParts } from './service.ts';
export { firstAdminOf, type UserSettings, userSettings } from './settings.ts';
