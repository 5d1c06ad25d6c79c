/** Debian's Chromium, and what people do in a window of it. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

// The shell first: it has no window to keep up, and takes less than half the CPU time.
const executables = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'];
export const chromiumPath = executables.map((name) => `/usr/bin/${name}`).find(existsSync);
export const howToGetChromium = 'Chromium is missing: apt-get install -y chromium-headless-shell';

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath!,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** A person in a window of his own, with cookies of his own. */
export class Person {
  readonly page: Page;
  readonly name: string;
  /** What the browser complained about: refused content, errors in scripts. */
  readonly complaints: string[] = [];

  private constructor(page: Page, name: string) {
    this.page = page;
    this.name = name;
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      const text = message.text();
      // That the network fails while the server is away is what the test is about.
      if (message.type() === 'error' && !/ERR_CONNECTION|WebSocket connection|Failed to load resource/.test(text))
        this.complaints.push(text);
    });
  }

  static async arrive(browser: Browser, url: string, name: string): Promise<Person> {
    const context = await browser.newContext({ reducedMotion: 'reduce' });
    const person = new Person(await context.newPage(), name);
    await person.page.goto(url);
    return person;
  }

  async register(): Promise<void> {
    const { page, name } = this;
    await page.getByTestId('mode-register').click();
    await page.getByTestId('username').fill(name);
    await page.getByTestId('email').fill(`${name}@example.org`);
    await page.getByTestId('password').fill(`correct horse of ${name}`);
    await page.getByTestId('submit').click();
    await this.isConnected();
  }

  /** By keyboard: the switcher also opens rooms that are not there yet. */
  async open(roomId: string): Promise<void> {
    const { page } = this;
    await page.keyboard.press('Control+k');
    await page.getByTestId('room-name').fill(roomId);
    await page.keyboard.press('Enter');
    await page.getByTestId('composer').waitFor();
    await page
      .locator('[data-testid=notice]', { hasText: `${this.name} joined` })
      .first()
      .waitFor();
  }

  async say(text: string): Promise<void> {
    const composer = this.page.getByTestId('composer');
    await composer.fill(text);
    await composer.press('Enter');
  }

  /** What this window shows of the conversation, with how far each message has come. */
  messages(): Promise<{ text: string; state: string }[]> {
    return this.page.getByTestId('message').evaluateAll((rows) =>
      rows.map((row) => ({
        text: row.querySelector('.text')?.textContent ?? '',
        state: row.getAttribute('data-state') ?? '',
      })),
    );
  }

  async texts(): Promise<string[]> {
    return (await this.messages()).map(({ text }) => text);
  }

  async isConnected(): Promise<void> {
    await this.page.locator('[data-testid=connection-state][data-status=online]').waitFor({ state: 'attached' });
  }

  async isOffline(): Promise<void> {
    await this.page.getByTestId('outage').waitFor();
  }
}
