import type { ResourceType } from '../runtime/index.ts';

/** The part of OpenAPI v3 that CRDs are written in. */
export interface Schema {
  type: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  /** What `kubectl explain` says. */
  description?: string;
  format?: string;
  default?: unknown;
  enum?: readonly string[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: readonly string[];
  'x-kubernetes-list-type'?: 'set' | 'map' | 'atomic';
  'x-kubernetes-list-map-keys'?: readonly string[];
  'x-kubernetes-validations'?: readonly Rule[];
}

/** A CEL rule: what must be true, and what is said when it is not. */
export interface Rule {
  rule: string;
  message: string;
  fieldPath?: string;
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired';
}

export interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'date';
  jsonPath: string;
  description?: string;
  /** 1: only with `-o wide`. */
  priority?: 1;
}

/** A custom resource: where it lives, how it is called, what it may hold. */
export interface Definition {
  resource: ResourceType;
  singular: string;
  shortNames: readonly string[];
  description: string;
  spec: Schema;
  status: Schema;
  /** Rules over the whole object, metadata.name included. */
  rules: readonly Rule[];
  columns: readonly PrinterColumn[];
}

/** The CustomResourceDefinition that the API server takes. */
export function toCrd({ resource, singular, shortNames, description, spec, status, rules, columns }: Definition) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${resource.plural}.${resource.group}`,
      // They and what is stored under them outlive an uninstall.
      annotations: { 'helm.sh/resource-policy': 'keep' },
    },
    spec: {
      group: resource.group,
      scope: resource.namespaced ? 'Namespaced' : 'Cluster',
      names: {
        kind: resource.kind,
        listKind: `${resource.kind}List`,
        plural: resource.plural,
        singular,
        shortNames,
        categories: ['parley'],
      },
      versions: [
        {
          name: resource.version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description,
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string', description: `${resource.group}/${resource.version}` },
                kind: { type: 'string', description: resource.kind },
                metadata: { type: 'object' },
                spec,
                status,
              },
              'x-kubernetes-validations': rules,
            },
          },
        },
      ],
    },
  };
}

/** A duration as Go writes it, between two of them. */
export function durationSchema(description: string, least: string, most: string): Schema {
  return {
    type: 'string',
    description: `${description} A number and a unit (ms, s, m, h), such as 90s or 1h30m; ${least} to ${most}.`,
    pattern: '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$',
    maxLength: 32,
    'x-kubernetes-validations': [
      {
        rule: `duration(self) >= duration('${least}') && duration(self) <= duration('${most}')`,
        message: `must be a duration from ${least} to ${most}`,
      },
    ],
  };
}

/** Conditions as metav1.Condition, of these types. */
export function conditionsSchema(description: string): Schema {
  return {
    type: 'array',
    description,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
    items: {
      type: 'object',
      required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
      properties: {
        type: { type: 'string', description: 'What the condition is about.', maxLength: 316 },
        status: { type: 'string', description: 'Whether it is so.', enum: ['True', 'False', 'Unknown'] },
        reason: {
          type: 'string',
          description: 'Why, as one word for programs.',
          minLength: 1,
          maxLength: 1024,
          pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
        },
        message: { type: 'string', description: 'Why, for people.', maxLength: 32768 },
        observedGeneration: {
          type: 'integer',
          format: 'int64',
          minimum: 0,
          description: 'The metadata.generation that was looked at.',
        },
        lastTransitionTime: { type: 'string', format: 'date-time', description: 'When status last changed.' },
      },
    },
  };
}
