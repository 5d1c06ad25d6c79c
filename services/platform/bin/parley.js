#!/usr/bin/env node
// Plain JavaScript, so that a Node which cannot read TypeScript gets as far as saying so.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 2)) {
  console.error(
    `Parley needs Node 24.2 or newer and this is ${process.version}: run \`npm run parley -- …\` in the repository, which brings its own, or install Node 24.`,
  );
  process.exit(78);
}
await import('../src/main.ts');
