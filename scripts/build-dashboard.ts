/** Bundles the dashboard into the file that scripts/build embeds. Usage: bun scripts/build-dashboard.ts FILE */

import { encodeAssets } from "../src/http/dashboard/asset.ts";
import { bundleDashboard } from "../src/http/dashboard/bundle.ts";

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: bun scripts/build-dashboard.ts FILE");
  process.exit(64);
}
await Bun.write(file, encodeAssets(await bundleDashboard()));
