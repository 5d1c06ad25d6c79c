/** A rule of a Role. */
export interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

/**
 * What the operator needs where its resources are: as a Role in the namespace that it watches, or as a ClusterRole when
 * it watches all. A test runs it with exactly these, and another finds each of them in use.
 */
export const watchRules: PolicyRule[] = [
  { apiGroups: ['parley.dev'], resources: ['chatrooms'], verbs: ['list', 'watch', 'patch'] },
  { apiGroups: ['parley.dev'], resources: ['serviceweights'], verbs: ['list', 'watch'] },
  { apiGroups: ['parley.dev'], resources: ['chatrooms/status', 'serviceweights/status'], verbs: ['patch'] },
  { apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  // Whether the namespace is being deleted. In a Role it is this namespace alone.
  { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
];

/** What it needs in its own namespace: the Lease by which one of its replicas leads. */
export const leaderRules: PolicyRule[] = [
  // A name cannot be given with create.
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
  {
    apiGroups: ['coordination.k8s.io'],
    resources: ['leases'],
    verbs: ['get', 'update'],
    resourceNames: ['parley-operator'],
  },
];

/** What the pre-delete hook `parley operator release` needs, which runs under the operator's own ServiceAccount. */
export const releaseRules: PolicyRule[] = [
  { apiGroups: ['parley.dev'], resources: ['chatrooms'], verbs: ['list', 'patch'] },
  ...leaderRules,
];
