export * from './api/index.ts';
export { REASONS as CHAT_ROOM_REASONS } from './chat-room/index.ts';
export { runOperator, runRelease } from './main.ts';
export { LEASE_NAME, Operator, type OperatorOptions } from './operator.ts';
export { type ReleaseOptions, releaseFinalizers } from './release.ts';
export { leaderRules, type PolicyRule, releaseRules, watchRules } from './rules.ts';
export { REASONS as SERVICE_WEIGHT_REASONS } from './service-weight/index.ts';
export { type OperatorConfig, operatorSettings, readOperatorConfig } from './settings.ts';
