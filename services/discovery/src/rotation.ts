import { Schedule } from './schedule.ts';

/** A backend as the rotation sees it: a name, its share, and its members with their shares of it. */
export interface Group<Member> {
  name: string;
  weight: number;
  members: readonly { member: Member; weight: number }[];
}

interface Row<Member> {
  group: Group<Member>;
  usable: Member[];
  /** What the schedule was made for; the same again keeps the schedule and its place in it. */
  weights: number[];
  schedule: Schedule | undefined;
  dirty: boolean;
  /** Members to be tried once, before any other of their group. */
  trials: Member[];
}

/**
 * Two levels of smooth weighted round robin: over the groups that have a usable member, then over the usable members of
 * the group. A flat rotation over all members would miss a group's ratio by the sum of its members' roundings.
 * Changes are noted at once and worked in at the next pick, so that a thousand of them cost one rebuild.
 */
export class Rotation<Member> {
  readonly #isUsable: (member: Member) => boolean;
  readonly #random: () => number;
  #rows: Row<Member>[] = [];
  #live: Row<Member>[] = [];
  #weights: number[] = [];
  #schedule: Schedule | undefined;
  #dirty = false;

  constructor(isUsable: (member: Member) => boolean, random: () => number = Math.random) {
    this.#isUsable = isUsable;
    this.#random = random;
  }

  /** Replaces the groups. Levels whose weights stay as they were keep their place in the rotation. */
  update(groups: readonly Group<Member>[]): void {
    const before = new Map(this.#rows.map((row) => [row.group.name, row]));
    const trials = this.#rows.flatMap((row) => row.trials);
    this.#rows = groups.map((group) => {
      const row = before.get(group.name);
      return {
        group,
        usable: row?.usable ?? [],
        weights: row?.weights ?? [],
        schedule: row?.schedule,
        dirty: true,
        trials: [],
      };
    });
    this.#dirty = true;
    // Whatever group a member is in now: nobody would ask for its trial again.
    for (const member of trials) this.tryOnce(member);
  }

  /** Says that a member became usable or is so no longer. */
  changed(member: Member): void {
    for (const row of this.#rows) {
      if (!row.dirty && row.group.members.some((entry) => entry.member === member)) row.dirty = true;
    }
    this.#dirty = true;
  }

  /** Has the member picked once, although it is not usable, at its group's next turn. */
  tryOnce(member: Member): void {
    for (const row of this.#rows) {
      if (row.group.members.some((entry) => entry.member === member) && !row.trials.includes(member)) {
        row.trials.push(member);
        this.#dirty = true;
        return;
      }
    }
  }

  /** The member to use next, or undefined when none is usable. O(log n). */
  pick(): Member | undefined {
    if (this.#dirty) this.#rebuild();
    if (!this.#schedule) return undefined;
    const row = this.#live[this.#schedule.next()]!;
    const trial = row.trials.shift();
    if (trial !== undefined) {
      this.#dirty = row.usable.length === 0;
      return trial;
    }
    return row.usable[row.schedule!.next()];
  }

  #rebuild(): void {
    this.#dirty = false;
    for (const row of this.#rows) if (row.dirty) this.#rebuildRow(row);
    const live = this.#rows.filter((row) => row.group.weight > 0 && (row.usable.length > 0 || row.trials.length > 0));
    const weights = live.map((row) => row.group.weight);
    const same =
      equal(weights, this.#weights) && live.every((row, at) => row.group.name === this.#live[at]!.group.name);
    this.#live = live;
    this.#weights = weights;
    if (!same) this.#schedule = live.length > 0 ? new Schedule(weights, this.#random) : undefined;
  }

  #rebuildRow(row: Row<Member>): void {
    row.dirty = false;
    const entries = row.group.members.filter(({ member, weight }) => weight > 0 && this.#isUsable(member));
    const usable = entries.map(({ member }) => member);
    const weights = entries.map(({ weight }) => weight);
    if (!equal(usable, row.usable) || !equal(weights, row.weights)) {
      row.schedule = usable.length > 0 ? new Schedule(weights, this.#random) : undefined;
    }
    row.usable = usable;
    row.weights = weights;
  }
}

function equal<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((value, at) => value === b[at]);
}
