/**
 * Bundles the dashboard's sources (app/) for browsers: one page, one script, one style sheet, an icon. What the page names has a hash
 * of its content in its name, so that a browser may keep it for ever.
 */

import { promisify } from "node:util";
import { brotliCompress, constants, gzip, zstdCompress } from "node:zlib";
import { fail } from "../../base/assert.ts";
import { type Asset, INDEX } from "./asset.ts";

const ENTRY = new URL("app/index.html", import.meta.url).pathname;

/** From the sources, which an executable does not have. O(100 ms). */
export async function bundleDashboard(): Promise<Asset[]> {
  const { outputs } = await Bun.build({
    entrypoints: [ENTRY],
    target: "browser",
    minify: true,
    jsx: { runtime: "automatic", importSource: "preact", development: false },
    publicPath: "/assets/",
    naming: { entry: "[name]-[hash].[ext]", chunk: "[name]-[hash].[ext]", asset: "[name]-[hash].[ext]" },
  });
  return await Promise.all(outputs.map(assetOf));
}

async function assetOf(artifact: Bun.BuildArtifact): Promise<Asset> {
  const body = new Uint8Array(await artifact.arrayBuffer());
  const file = artifact.path.slice(artifact.path.lastIndexOf("/") + 1);
  const mediaType = artifact.type.replace(/;.*/, "");
  if (mediaType === "") fail(`the dashboard's ${file} is of no known kind`);
  const [brotli, zstd, gzipped] = await Promise.all([
    promisify(brotliCompress)(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
    promisify(zstdCompress)(body, { params: { [constants.ZSTD_c_compressionLevel]: 19 } }),
    promisify(gzip)(body, { level: 9 }),
  ]);
  return {
    name: mediaType === "text/html" ? INDEX : file,
    mediaType: mediaType.startsWith("text/") ? `${mediaType}; charset=utf-8` : mediaType,
    tag: new Bun.CryptoHasher("sha256").update(body).digest("base64url").slice(0, 22),
    bodies: { identity: body, br: bytesOf(brotli), zstd: bytesOf(zstd), gzip: bytesOf(gzipped) },
  };
}

function bytesOf(buffer: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer);
}
