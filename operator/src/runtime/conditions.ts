/** A condition as metav1.Condition. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  /** The metadata.generation that it was found for. */
  observedGeneration: number;
  /** When `status` last changed, not when it was last looked at. */
  lastTransitionTime: string;
}

export type Finding = Omit<Condition, 'lastTransitionTime'>;

/**
 * The conditions after these findings, in the findings' order. A condition whose status is as before keeps its
 * lastTransitionTime, so that finding the same again is no change.
 */
export function setConditions(
  before: readonly Condition[] | undefined,
  findings: readonly Finding[],
  now: Date,
): Condition[] {
  return findings.map((finding) => {
    const known = before?.find((condition) => condition.type === finding.type);
    const lastTransitionTime = known?.status === finding.status ? known.lastTransitionTime : kubeTime(now);
    return { ...finding, message: finding.message.slice(0, 32_768), lastTransitionTime };
  });
}

/** The condition of a type. */
export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** A time as Kubernetes writes it: whole seconds. */
export function kubeTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
