/**
 * Where the files of the dashboard come from.
 *
 *     app/ --- bundle.ts ---> Asset[] --- encodeAssets ---> dist/dashboard.assets --- scripts/build ---> the executable
 *              (Bun.build)           <--- decodeAssets ---  (JSON, bodies as base64)   Bun.embeddedFiles
 *
 * The compiled executable carries them. A server that runs from the sources bundles them when the first browser asks: there is nothing
 * to build before, and nothing stale to serve.
 */

import { ObeliskError } from "../../base/errors.ts";
import { type Asset, decodeAssets } from "./asset.ts";
import { bundleDashboard } from "./bundle.ts";

/** Begins the name that Bun gives to the embedded file. */
const ARCHIVE = "dashboard";

let loaded: Promise<ReadonlyMap<string, Asset>> | null = null;

/** All assets by name; the same for the life of the process. */
export function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  loaded ??= readAssets().catch((thrown) => {
    loaded = null;
    throw thrown;
  });
  return loaded;
}

/** @throws ObeliskError NOT_FOUND in an executable that was compiled without them */
async function readAssets(): Promise<ReadonlyMap<string, Asset>> {
  const archive = (Bun.embeddedFiles as (Blob & { name: string })[]).find(({ name }) =>
    name.startsWith(ARCHIVE),
  );
  if (archive === undefined && Bun.embeddedFiles.length > 0) {
    throw new ObeliskError("NOT_FOUND", {
      detail: "this executable was compiled without the dashboard",
      remedy: "compile it with scripts/build",
    });
  }
  const assets = archive === undefined ? await bundleDashboard() : decodeAssets(await archive.text());
  return new Map(assets.map((asset) => [asset.name, asset]));
}
