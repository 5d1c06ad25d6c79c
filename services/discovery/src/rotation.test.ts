import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Group, Rotation } from './rotation.ts';

interface Member {
  group: string;
  usable: boolean;
}

function group(name: string, weight: number, size: number): Group<Member> {
  return {
    name,
    weight,
    members: Array.from({ length: size }, () => ({ member: { group: name, usable: true }, weight: 10 })),
  };
}

/** The largest and smallest count of a name in any window of so many picks. */
function extremes(picks: readonly string[], name: string, window: number): [number, number] {
  let count = picks.slice(0, window).filter((pick) => pick === name).length;
  let [most, least] = [count, count];
  for (let at = window; at < picks.length; at++) {
    count += (picks[at] === name ? 1 : 0) - (picks[at - window] === name ? 1 : 0);
    most = Math.max(most, count);
    least = Math.min(least, count);
  }
  return [most, least];
}

const groups = fc
  .array(
    fc.tuple(
      fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 1_000_000 })),
      fc.integer({ min: 1, max: 100 }),
    ),
    { minLength: 1, maxLength: 10 },
  )
  .map((list) => list.map(([weight, size], at) => group(`g${at}`, weight, size)));

describe('Rotation', () => {
  it('gives every backend its share within 2 in any 100 picks, and one of weight 0 none', () => {
    fc.assert(
      fc.property(groups, (all) => {
        const total = all.reduce((sum, { weight }) => sum + weight, 0);
        const rotation = new Rotation<Member>((member) => member.usable);
        rotation.update(all);
        const picks = Array.from({ length: 500 }, () => rotation.pick()?.group ?? 'nobody');
        for (const { name, weight } of all) {
          const [most, least] = extremes(picks, name, 100);
          const share = total === 0 ? 0 : (100 * weight) / total;
          expect(most).toBeLessThanOrEqual(share + 2);
          expect(least).toBeGreaterThanOrEqual(share - 2);
          if (weight === 0) expect(most).toBe(0);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('tries a member once whatever its group is called by then', () => {
    const [well, ill] = [
      { group: 'well', usable: true },
      { group: 'ill', usable: false },
    ];
    const of = (name: string, ...members: Member[]) => ({
      name,
      weight: 50,
      members: members.map((member) => ({ member, weight: 10 })),
    });
    const rotation = new Rotation<Member>((member) => member.usable);
    rotation.update([of('all', well, ill)]);
    rotation.tryOnce(ill);
    rotation.update([of('stable', well), of('canary', ill)]);
    const picks = Array.from({ length: 10 }, () => rotation.pick()?.group);
    expect(picks.filter((pick) => pick === 'ill')).toHaveLength(1);
  });

  it('keeps the shares while members come and go, and never picks one that is not usable', () => {
    const change = fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 0, max: 30 }));
    fc.assert(
      fc.property(groups, fc.array(change, { maxLength: 40 }), (all, changes) => {
        const rotation = new Rotation<Member>((member) => member.usable);
        rotation.update(all);
        const weighted = all.filter(({ weight }) => weight > 0);
        const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
        const picks: string[] = [];
        const pick = () => {
          const member = rotation.pick();
          if (member) expect(member.usable).toBe(true);
          picks.push(member?.group ?? 'nobody');
        };
        for (const [which, member, then] of changes) {
          const { members } = all[which % all.length]!;
          const changed = members[member % members.length]!.member;
          // The last one of a group stays: without it the others rightly share the group's part.
          if (changed.usable && members.filter((each) => each.member.usable).length === 1) continue;
          changed.usable = !changed.usable;
          rotation.changed(changed);
          for (let more = 0; more < then; more++) pick();
        }
        while (picks.length < 200) pick();
        for (const { name, weight } of weighted) {
          const [most, least] = extremes(picks, name, 100);
          expect(most).toBeLessThanOrEqual((100 * weight) / total + 2);
          expect(least).toBeGreaterThanOrEqual((100 * weight) / total - 2);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('keeps 90/10 over 1,000 endpoints, each of them with its part', () => {
    const all = [group('stable', 90, 500), group('canary', 10, 500)];
    const rotation = new Rotation<Member>(() => true);
    rotation.update(all);
    const picks = Array.from({ length: 50_000 }, () => rotation.pick()!);
    const names = picks.map((member) => member.group);
    expect(extremes(names, 'canary', 100)[0]).toBeLessThanOrEqual(12);
    expect(extremes(names, 'canary', 100)[1]).toBeGreaterThanOrEqual(8);
    const counts = new Map<Member, number>();
    for (const member of picks) counts.set(member, (counts.get(member) ?? 0) + 1);
    for (const { members, weight } of all) {
      for (const { member } of members) expect(Math.abs(counts.get(member)! - weight)).toBeLessThanOrEqual(2);
    }
  });

  it('follows new weights from the next pick on', () => {
    const [stable, canary] = [group('stable', 90, 50), group('canary', 10, 50)];
    const rotation = new Rotation<Member>(() => true);
    for (const share of [10, 50, 100, 1, 50]) {
      rotation.update([
        { ...stable, weight: 100 - share },
        { ...canary, weight: share },
      ]);
      const picks = Array.from({ length: 100 }, () => rotation.pick()!.group);
      expect(Math.abs(picks.filter((name) => name === 'canary').length - share)).toBeLessThanOrEqual(2);
    }
  });

  it('gives the part of a group without usable members to the others', () => {
    const [a, b] = [group('a', 50, 2), group('b', 50, 1)];
    const rotation = new Rotation<Member>((member) => member.usable);
    rotation.update([a, b]);
    b.members[0]!.member.usable = false;
    rotation.changed(b.members[0]!.member);
    expect(Array.from({ length: 10 }, () => rotation.pick()!.group)).toEqual(Array(10).fill('a'));
    for (const { member } of a.members) {
      member.usable = false;
      rotation.changed(member);
    }
    expect(rotation.pick()).toBeUndefined();
  });

  it('tries a member once that it was asked to, also the only one of its group', () => {
    const [a, b] = [group('a', 50, 1), group('b', 50, 1)];
    const ill = b.members[0]!.member;
    ill.usable = false;
    const rotation = new Rotation<Member>((member) => member.usable);
    rotation.update([a, b]);
    rotation.pick();
    rotation.tryOnce(ill);
    const picks = Array.from({ length: 20 }, () => rotation.pick());
    expect(picks.filter((pick) => pick === ill)).toHaveLength(1);
  });

  it('starts many clients at different members', () => {
    const all = group('a', 1, 50);
    const first = new Set(
      Array.from({ length: 400 }, () => {
        const rotation = new Rotation<Member>(() => true);
        rotation.update([all]);
        return rotation.pick();
      }),
    );
    expect(first.size).toBeGreaterThan(40);
  });
});
