export { BY_BACKEND, BY_SERVICE, ServiceWeightController, serviceOf, servicesOf } from './controller.ts';
export { ENDPOINT_SLICES, type EndpointSlice, SERVICE_LABEL, SERVICES, type Service } from './endpoints.ts';
export { type Observed, type Plan, plan } from './plan.ts';
export { ERROR_RATE_QUERY, type PrometheusOptions } from './prometheus.ts';
export { REASONS } from './reasons.ts';
