/**
 * Loaded before every test file (bunfig.toml): how long a test may take that names no limit of its own. Bun's is 5 s, which tests
 * that start processes pass on a busy machine. Nothing is measured by it; it only ends what hangs.
 */

import { setDefaultTimeout } from "bun:test";

setDefaultTimeout(60_000);
