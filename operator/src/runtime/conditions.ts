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

/** A list of reasons with their meanings, by condition and status. */
type Reasons = Record<string, Partial<Record<Condition['status'], Record<string, string>>>>;

/** What a condition can say by such a list: a status, with a reason that is listed for it. */
export type VerdictOf<List extends Reasons, Type extends keyof List> = {
  [Status in keyof List[Type]]: { status: Status; reason: keyof List[Type][Status]; message: string };
}[keyof List[Type]];

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

/**
 * Of a status, what an operator with these fields and conditions writes: to be compared with what it would write. A newer
 * version of it, or another controller, may have written more, and that stays theirs.
 */
export function ownStatus<S extends { conditions?: Condition[] }>(
  status: S | undefined,
  fields: readonly string[],
  conditionTypes: readonly string[],
): S {
  const own = Object.fromEntries(Object.entries(status ?? {}).filter(([field]) => fields.includes(field))) as S;
  if (own.conditions === undefined) return own;
  return { ...own, conditions: own.conditions.filter(({ type }) => conditionTypes.includes(type)) };
}

/** The condition of a type. */
export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** A time as Kubernetes writes it: whole seconds. */
export function kubeTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
