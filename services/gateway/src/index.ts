export { createGateway, type Gateway, type GatewaySettings } from './gateway.ts';
export { serveProxy } from './proxy/proxy.ts';
export { gatewaySettings } from './settings.ts';
