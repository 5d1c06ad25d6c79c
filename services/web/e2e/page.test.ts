import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sharedFixture } from '@parley/kit/testing/fixture';
import type { Browser } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { chromiumPath, howToGetChromium, openBrowser, Person } from './browser.ts';
import { Platform } from './server.ts';
import { hasTerminal, howToGetTerminal, Terminal } from './terminal.ts';

const missing = [chromiumPath ? undefined : howToGetChromium, hasTerminal ? undefined : howToGetTerminal]
  .filter((one) => one !== undefined)
  .join('; ');
const required = Boolean(process.env['CI']);
const web = fileURLToPath(new URL('..', import.meta.url));
const waitMs = 60_000;

test.runIf(missing !== '' && required)('the page can be tested here', () => expect(missing).toBe(''));

describe.skipIf(missing !== '')(missing || 'the page', { timeout: 240_000 }, () => {
  let platform: Platform;
  let browser: Browser;
  let home: string;
  const terminals: Terminal[] = [];

  beforeAll(async () => {
    // Built as it is shipped: the test runner's NODE_ENV would make it a development build.
    await promisify(execFile)(process.execPath, [join(web, '../../node_modules/vite/bin/vite.js'), 'build'], {
      cwd: web,
      env: { ...process.env, NODE_ENV: 'production' },
    });
  });
  sharedFixture(async (stack) => {
    home = await mkdtemp(join(tmpdir(), 'parley-e2e-home-'));
    stack.defer(() => rm(home, { recursive: true, force: true }));
    platform = stack.use(await Platform.start());
    browser = await openBrowser();
    stack.defer(() => browser.close());
    stack.defer(() => {
      for (const terminal of terminals.splice(0)) terminal.close();
    });
  });

  function parley(...args: string[]): Terminal {
    const terminal = new Terminal(args, { XDG_CONFIG_HOME: home, PARLEY_URL: platform.url });
    terminals.push(terminal);
    return terminal;
  }

  async function registered(name: string): Promise<Person> {
    const person = await Person.arrive(browser, platform.url, name);
    await person.register();
    return person;
  }

  test('two windows and a terminal: a crash in the middle of 200 lines loses and doubles nothing', async () => {
    const lines = (await readFile(new URL('snark.txt', import.meta.url), 'utf8')).trim().split('\n');
    const [alice, bob] = await Promise.all([registered('alice'), registered('bob')]);
    const carol = parley('chat', 'snark', '--name', 'carol');
    await expect.poll(() => carol.output, { timeout: waitMs }).toContain('carol joined');
    await Promise.all([alice.open('snark'), bob.open('snark')]);
    await expect
      .poll(() => carol.output, { timeout: waitMs })
      .toMatch(/alice joined[\s\S]*bob joined|bob joined[\s\S]*alice joined/);

    const own = [0, 1, 2].map((speaker) => lines.filter((_, index) => index % 3 === speaker));
    const talk = [
      async () => {
        for (const line of own[0]!) await alice.say(line);
      },
      async () => {
        for (const line of own[1]!) await bob.say(line);
      },
      // A person at a terminal reads before he writes on; what he types is echoed first.
      async () => {
        for (const [index, line] of own[2]!.entries()) {
          carol.type(line);
          if (index % 10 === 9)
            await expect.poll(() => carol.texts(), { timeout: waitMs }).toContain(own[2]![index - 9]);
        }
      },
    ];
    const talking = Promise.all(talk.map((one) => one()));
    await expect.poll(async () => (await alice.texts()).length, { timeout: waitMs, interval: 20 }).toBeGreaterThan(60);
    await platform.kill();
    const acknowledged = (await bob.messages()).filter(({ state }) => state === 'sent').length;
    expect(acknowledged).toBeGreaterThan(20);
    expect(acknowledged).toBeLessThan(lines.length);
    await Promise.all([alice.isOffline(), bob.isOffline()]);
    const readOut = () => alice.page.locator('.shell > .hidden[role=status]').textContent();
    expect(await readOut()).toBe('Offline. What you write is sent once you are back.');
    await expect.poll(() => carol.output, { timeout: waitMs }).toContain('trying again');
    await platform.start();
    await talking;

    const everything = (texts: string[]) => new Set(texts).size === lines.length && texts.length === lines.length;
    for (const person of [alice, bob]) {
      await expect
        .poll(
          async () =>
            everything(await person.texts()) && (await person.messages()).every(({ state }) => state === 'sent'),
          { timeout: waitMs },
        )
        .toBe(true);
    }
    await expect.poll(() => carol.texts().length, { timeout: waitMs }).toBe(lines.length);

    const order = await alice.texts();
    expect(await bob.texts()).toEqual(order);
    expect(carol.texts()).toEqual(order);
    expect([...order].sort()).toEqual([...lines].sort());
    for (const said of own) expect(order.filter((text) => said.includes(text))).toEqual(said);
    expect(carol.output).toContain('connected again');
    await Promise.all([alice.isConnected(), bob.isConnected()]);
    expect(await readOut()).toBe('Connected');
    expect([...alice.complaints, ...bob.complaints]).toEqual([]);
  });

  test('after a reload one is still signed in, and the room is as it was', async () => {
    const dora = await registered('dora');
    await dora.open('reload');
    await dora.say('still here');
    await expect.poll(() => dora.messages()).toEqual([{ text: 'still here', state: 'sent' }]);
    await dora.page.reload();
    await dora.isConnected();
    await expect.poll(() => dora.texts(), { timeout: waitMs }).toEqual(['still here']);
    await dora.page.getByTestId('logout').click();
    await dora.page.getByTestId('username').waitFor();
    await dora.page.reload();
    await dora.page.getByTestId('username').waitFor();
    expect(dora.complaints).toEqual([]);
  });

  test('markup is text, and nothing scrolls sideways on the narrowest phone', async () => {
    const erin = await registered('erin');
    await erin.page.setViewportSize({ width: 320, height: 568 });
    await erin.open('narrow');
    const texts = [
      '<img src=x onerror=alert(1)><script>alert(2)</script>',
      `https://example.org/${'long'.repeat(100)}`,
    ];
    for (const text of texts) await erin.say(text);
    await expect.poll(() => erin.texts()).toEqual(texts);
    // Markup stays text; a web address leads there, in a window that knows nothing of this one.
    expect(await erin.page.locator('.text :not(a)').count()).toBe(0);
    const links = await erin.page.locator('.text a').evaluateAll((all) => all.map((link) => link.outerHTML));
    expect(links).toEqual([
      `<a href="${texts[1]}" target="_blank" rel="noopener noreferrer nofollow" tabindex="-1">${texts[1]}</a>`,
    ]);
    const widths = () =>
      erin.page.evaluate('[document.documentElement.scrollWidth, document.querySelector(".log").scrollWidth]');
    expect(Math.max(...((await widths()) as number[]))).toBeLessThanOrEqual(320);
    for (const control of await erin.page.locator('button:visible, a:visible:not(.text a), textarea:visible').all()) {
      const box = await control.boundingBox();
      expect(box!.height, await control.evaluate((element) => element.outerHTML)).toBeGreaterThanOrEqual(44);
    }
    expect(erin.complaints).toEqual([]);
  });

  test('somebody who may not, is told so; orders follow their state', async () => {
    const [fay, gus] = [await registered('fay'), await registered('gus')];
    await Promise.all([fay.open('quarrel'), gus.open('quarrel')]);
    await gus.say('no, you');
    await expect.poll(() => fay.texts()).toEqual(['no, you']);
    await fay.page.getByTestId('message').first().hover();
    await fay.page.getByTestId('message-menu').first().click();
    await fay.page.getByTestId('remove').click();
    await expect.poll(() => fay.page.getByTestId('toast').textContent()).toMatch(/^That is not yours to do/);

    await fay.page.getByTestId('orders-link').click();
    await fay.page.getByTestId('more').first().click();
    await fay.page.getByTestId('order-create').click();
    await expect.poll(() => fay.page.getByTestId('toast').textContent()).toMatch(/^Ordered for /);
    expect(await fay.page.getByTestId('order-create').evaluate((button) => button.matches(':focus'))).toBe(true);
    await fay.page.locator('[data-testid=order][data-state=PAID]').waitFor({ timeout: waitMs });
    expect(await fay.page.locator('.order-items').textContent()).toBe('1 × Sticker pack');
    await fay.page.getByTestId('more').first().click();
    await fay.page.getByTestId('card').selectOption('tok_decline');
    await fay.page.getByTestId('order-create').click();
    await fay.page.locator('[data-testid=order][data-state=CANCELLED]').waitFor({ timeout: waitMs });

    // Back in the room, what was said meanwhile is under a line, and what is said then does not move it.
    await gus.say('while you were shopping');
    await fay.page.locator('[data-room=quarrel][data-unread="1"]').click();
    const firstNew = () => fay.page.locator('.entry:has(.new-line) .text').allTextContents();
    await expect.poll(firstNew).toEqual(['while you were shopping']);
    await gus.say('and now');
    await expect.poll(() => fay.texts()).toContain('and now');
    expect(await firstNew()).toEqual(['while you were shopping']);
    expect(fay.complaints).toEqual([]);
  });

  test('a room opens at its end, however much is above it, and stays there', async () => {
    const lou = await registered('lou');
    await lou.open('long');
    for (let line = 1; line <= 60; line++) await lou.say(`line ${line}`);
    await expect.poll(async () => (await lou.messages()).filter(({ state }) => state === 'sent').length).toBe(60);
    const mia = await registered('mia');
    await mia.page.locator('[data-room=long]').click();
    await mia.page.getByTestId('message').last().waitFor();
    const belowPx = () =>
      mia.page.locator('.log').evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight);
    await expect.poll(belowPx).toBeLessThan(2);
    await mia.page.locator('.log').evaluate((log) => log.scrollBy(0, -500));
    await mia.say('from above');
    await expect.poll(() => mia.texts()).toContain('from above');
    await expect.poll(belowPx).toBeLessThan(2);
    expect(mia.complaints).toEqual([]);
  });

  test('two people who share a browser never speak in each other’s name, nor see each other’s drafts', async () => {
    const hal = await registered('hal');
    await hal.open('shared');
    await hal.page.getByTestId('composer').fill('half a thought');
    const second = await hal.page.context().newPage();
    await second.goto(platform.url);
    await second.getByTestId('logout').click();
    await expect
      .poll(() => hal.page.getByTestId('sign-in-problem').textContent())
      .toBe('You logged out in another tab.');

    await hal.page.getByTestId('mode-register').click();
    const ida = hal.name.replace('hal', 'ida');
    await hal.page.getByTestId('username').fill(ida);
    await hal.page.getByTestId('email').fill(`${ida}@example.org`);
    await hal.page.getByTestId('password').fill('correct horse of ida');
    await hal.page.getByTestId('submit').click();
    await hal.isConnected();
    expect(await hal.page.getByTestId('composer').inputValue()).toBe('');
    expect(hal.complaints).toEqual([]);
  });

  test('what is wrong with a registration is said, at the field that it is about', async () => {
    const { page } = await Person.arrive(browser, platform.url, 'jo');
    await page.getByTestId('mode-register').click();
    await page.getByTestId('username').fill('jo');
    await page.getByTestId('email').fill('jo@example.org');
    await page.getByTestId('password').fill('short');
    await page.getByTestId('submit').click();
    await expect.poll(() => page.getByTestId('sign-in-problem').textContent()).toMatch(/^Password has 5 characters/);
    await expect.poll(() => page.getByTestId('password').evaluate((field) => field.matches(':focus'))).toBe(true);
    expect(await page.getByTestId('password').getAttribute('aria-invalid')).toBe('true');
    expect(await page.getByTestId('username').getAttribute('aria-invalid')).toBe(null);
  });

  test('a guest chooses another name where his is blank or somebody’s with an account', async () => {
    const { name } = await registered('nora');
    const guest = await Person.arrive(browser, `${platform.url}/#/room/lobby`, `not ${name}`);
    const { page } = guest;
    await page.getByTestId('guest').click();
    for (const [wrong, problem] of [
      [' ', /^Say what to call you/],
      [name, /^That name belongs to somebody with an account/],
    ] as const) {
      await page.getByTestId('guest-name').fill(wrong);
      await page.getByTestId('guest-submit').click();
      await expect.poll(() => page.getByTestId('sign-in-problem').textContent()).toMatch(problem);
      await expect.poll(() => page.getByTestId('guest-name').evaluate((field) => field.matches(':focus'))).toBe(true);
    }
    await page.getByTestId('guest-name').fill(guest.name);
    await page.getByTestId('guest-submit').click();
    await page.locator('[data-testid=notice]', { hasText: `${guest.name} joined` }).waitFor();
    expect(guest.complaints).toEqual([]);
  });

  test('without a mouse: up from the empty field is the last message, Enter shows what can be done', async () => {
    const kim = await registered('kim');
    await kim.open('keys');
    await kim.say('first');
    await kim.say('last');
    await expect.poll(() => kim.texts()).toEqual(['first', 'last']);
    await expect.poll(async () => (await kim.messages()).every(({ state }) => state === 'sent')).toBe(true);
    await kim.page.keyboard.press('ArrowUp');
    await expect.poll(() => kim.page.locator(':focus .text').textContent()).toBe('last');
    await kim.page.keyboard.press('Enter');
    await kim.page.getByTestId('remove').waitFor();
    await kim.page.keyboard.press('Escape');
    await kim.page.keyboard.press('ArrowUp');
    await expect.poll(() => kim.page.locator(':focus .text').textContent()).toBe('first');
    expect(kim.complaints).toEqual([]);
  });
});
