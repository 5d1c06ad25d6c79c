import { conditionsSchema, type Definition, durationSchema, type Schema } from './schema.ts';
import { SERVICE_WEIGHTS } from './service-weight.ts';

const serviceName = (description: string): Schema => ({
  type: 'string',
  description,
  minLength: 1,
  maxLength: 63,
  pattern: '^[a-z]([-a-z0-9]*[a-z0-9])?$',
});

/** What may be in the spec of a ServiceWeight. */
export const serviceWeightSpec: Schema = {
  type: 'object',
  description: 'How traffic shall be divided.',
  required: ['service', 'backends'],
  properties: {
    service: serviceName('The Service that clients dial, k8s:///<service>. It must be the same as metadata.name.'),
    port: {
      type: 'string',
      description: "The name of the backends' port, or the number that their pods listen on, in quotes.",
      minLength: 1,
      maxLength: 15,
      pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
      default: 'grpc',
    },
    backends: {
      type: 'array',
      description: 'The Services that the traffic is divided over, 1 to 16.',
      minItems: 1,
      maxItems: 16,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['service'],
      items: {
        type: 'object',
        required: ['service'],
        properties: {
          service: serviceName('A Service in the same namespace.'),
          weight: {
            type: 'integer',
            format: 'int32',
            description:
              'Its share, relative to the sum of all weights, 0 to 1,000,000, as in a Gateway API route. 0 takes no traffic.',
            minimum: 0,
            maximum: 1_000_000,
            default: 1,
          },
        },
      },
    },
    slowStart: durationSchema('How long a new endpoint takes to get its full share.', '0s', '15m'),
    rollout: {
      type: 'object',
      description:
        'Shifts traffic to a backend in steps while it is healthy, and back to spec.backends when it is not. Annotate the resource parley.dev/pause=true to hold it, parley.dev/abort=true to end it; a changed spec starts it anew.',
      required: ['backend', 'steps'],
      properties: {
        backend: serviceName('Which of spec.backends gets more and more.'),
        steps: {
          type: 'array',
          description: 'The steps in order, 1 to 32.',
          minItems: 1,
          maxItems: 32,
          'x-kubernetes-list-type': 'atomic',
          items: {
            type: 'object',
            required: ['weight'],
            properties: {
              weight: {
                type: 'integer',
                format: 'int32',
                description: "The backend's share of 100; the others divide the rest by their weights.",
                minimum: 0,
                maximum: 100,
              },
              pause: durationSchema('How long the step lasts before the next. 0s by default.', '0s', '168h'),
            },
          },
        },
      },
    },
  },
  'x-kubernetes-validations': [
    {
      rule: 'self.backends.exists(b, b.weight > 0)',
      message: 'spec.backends must give at least one backend a weight above 0',
      fieldPath: '.backends',
    },
    {
      rule: '!has(self.rollout) || self.backends.exists(b, b.service == self.rollout.backend)',
      message: 'spec.rollout.backend must be one of spec.backends',
      fieldPath: '.rollout.backend',
    },
    {
      rule: '!has(self.rollout) || self.backends.exists(b, b.service != self.rollout.backend)',
      message: 'spec.rollout needs another backend in spec.backends to shift traffic from',
      fieldPath: '.rollout.backend',
    },
  ],
};

const serviceWeightStatus: Schema = {
  type: 'object',
  description: 'How traffic is divided, written by the operator. Clients follow it.',
  properties: {
    observedGeneration: { type: 'integer', format: 'int64', description: 'The metadata.generation last looked at.' },
    conditions: conditionsSchema(
      'Ready: the Services are there and endpoints are ready. Progressing: a rollout is on its way.',
    ),
    effective: {
      type: 'array',
      description: 'The weights in force.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['service'],
      items: {
        type: 'object',
        required: ['service', 'weight', 'endpoints'],
        properties: {
          service: { type: 'string', description: 'The backend.' },
          weight: { type: 'integer', format: 'int32', description: 'Its weight now.' },
          endpoints: { type: 'integer', format: 'int32', description: 'Its ready endpoints.' },
        },
      },
    },
    slowStart: { type: 'string', description: 'How long a new endpoint takes to get its full share.' },
    rollout: {
      type: 'object',
      description: 'Where the rollout is.',
      required: ['step', 'phase'],
      properties: {
        step: {
          type: 'integer',
          format: 'int32',
          description: 'The step in force, counted from 1; 0 before the first and after an abort.',
        },
        phase: {
          type: 'string',
          description:
            'Pending until the backend is ready, then Progressing or Paused; Complete or Aborted in the end.',
          enum: ['Pending', 'Progressing', 'Paused', 'Complete', 'Aborted'],
        },
        generation: { type: 'integer', format: 'int64', description: 'The metadata.generation that it is for.' },
        since: { type: 'string', format: 'date-time', description: 'When the step, or the pause, began.' },
        unhealthySince: {
          type: 'string',
          format: 'date-time',
          description: 'Since when the backend has been unhealthy.',
        },
      },
    },
    summary: { type: 'string', description: 'The weights in force in one line.' },
  },
};

/** The CustomResourceDefinition of ServiceWeight, as data. */
export const serviceWeightDefinition: Definition = {
  resource: SERVICE_WEIGHTS,
  singular: 'serviceweight',
  shortNames: ['sw'],
  description: 'How the traffic of a Service is divided over other Services, and a rollout that changes it in steps.',
  spec: serviceWeightSpec,
  status: serviceWeightStatus,
  rules: [
    {
      rule: 'self.metadata.name == self.spec.service',
      message: 'spec.service must be the same as metadata.name, so that a Service has one ServiceWeight',
      fieldPath: '.spec.service',
    },
  ],
  columns: [
    { name: 'Weights', type: 'string', jsonPath: '.status.summary' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: 'Rollout', type: 'string', jsonPath: '.status.rollout.phase' },
    { name: 'Step', type: 'integer', jsonPath: '.status.rollout.step' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Reason', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].reason', priority: 1 },
  ],
};
