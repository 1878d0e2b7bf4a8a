// Programs of this house, as cargo has built them or as the surroundings name them.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where the server's binary is. */
export const wigwag = () => built('WIGWAG_BIN', 'wigwag', 'cargo build --bin wigwag');

/** Where the engine's probe is. */
export const probe = () => built('RTC_PROBE', 'examples/rtc-probe', 'cargo build -p wigwag-rtc --example rtc-probe');

/** Where the native client's example of a program and a page is. */
export const examplePage = () => built('EXAMPLE_PAGE', 'examples/page', 'cargo build -p wigwag --example page');

/** Where the example is that meets by codes. */
export const byCode = () => built('BY_CODE', 'examples/by-code', 'cargo build -p wigwag --example by-code');

function built(variable, name, how) {
  const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../../target', import.meta.url));
  const path = process.env[variable] ?? `${target}/debug/${name}`;
  if (!existsSync(path)) throw new Error(`there is no ${path}: ${how}, or set ${variable}`);
  return path;
}
