/** Parley on a real cluster, in the order of a release's life. */
import './install.ts';
import './talk.ts';
import './observe.ts';
import './rooms.ts';
import './weights.ts';
import './faults.ts';
import './upgrade.ts';
import './uninstall.ts';
