/** What is written can be read in both themes: WCAG 2.2, 1.4.3 and 1.4.11, computed from the tokens. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const css = readFileSync(new URL('tokens.css', import.meta.url), 'utf8');
type Linear = readonly [red: number, green: number, blue: number];

const themes = {
  light: tokensIn(/:root \{([^}]*)\}/),
  'dark by the system': tokensIn(/:root:not\(\[data-theme="light"\]\) \{([^}]*)\}/),
  'dark by choice': tokensIn(/:root\[data-theme="dark"\] \{([^}]*)\}/),
};

describe.each(Object.entries(themes))('%s', (_name, theme) => {
  const tokens = new Map([...themes.light, ...theme]);
  const color = (name: string) =>
    linear(
      ...(tokens
        .get(name)!
        .match(/[\d.]+/g)!
        .map(Number) as [number, number, number]),
    );

  test.each([
    ...['ink', 'quiet', 'accent', 'bad'].flatMap((text) => ['paper', 'leaf', 'sunk'].map((under) => [text, under])),
    ['accent-ink', 'accent'],
    ['own-ink', 'own'],
    ['quiet', 'own'],
    ['amber-ink', 'amber'],
    ['bad', 'bad-soft'],
    ['paper', 'ink'],
    ['paper', 'bad'],
  ])('%s on %s is 4.5 to 1', (text, under) => {
    expect(contrast(color(text!), color(under!))).toBeGreaterThanOrEqual(4.5);
  });

  test.each(['paper', 'leaf'])('the edge of a field on %s is 3 to 1', (under) => {
    expect(contrast(color('edge'), color(under))).toBeGreaterThanOrEqual(3);
  });

  test('every person’s name is 4.5 to 1', () => {
    const [lightness, chroma] = [Number(tokens.get('person-l')), Number(tokens.get('person-c'))];
    for (const [, hue] of css.matchAll(/--hue: (\d+)/g))
      expect(contrast(linear(lightness, chroma, Number(hue)), color('paper')), hue).toBeGreaterThanOrEqual(4.5);
  });
});

function tokensIn(block: RegExp): Map<string, string> {
  const found = [...(block.exec(css)?.[1] ?? '').matchAll(/--([\w-]+): ([^;]+);/g)];
  return new Map(found.map(([, name, value]) => [name!, value!]));
}

function contrast(one: Linear, other: Linear): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance([red, green, blue]: Linear): number {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** OKLCH to linear sRGB, as CSS Color 4 has it; what sRGB does not have is cut off. */
function linear(lightness: number, chroma: number, hue: number): Linear {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const cut = (value: number) => Math.min(1, Math.max(0, value));
  return [
    cut(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    cut(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    cut(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}
