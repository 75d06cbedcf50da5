/**
 * A file of the dashboard as it is served: in every coding that a browser may ask for, compressed once, when it is bundled.
 */

/** From the smallest to the largest, which is the order in which a browser is given them. */
export const CODINGS = ["br", "zstd", "gzip", "identity"] as const;
export type Coding = (typeof CODINGS)[number];

export interface Asset {
  /** As in the address below `/assets/`; INDEX for the page itself. */
  readonly name: string;
  readonly mediaType: string;
  /** A strong entity tag without its coding, unquoted. */
  readonly tag: string;
  readonly bodies: Readonly<Record<Coding, Uint8Array<ArrayBuffer>>>;
}

/** The page that all others are views of. */
export const INDEX = "index.html";

/** The best coding that an `Accept-Encoding` header allows. Weights other than "never" are not looked at: any of them is small. */
export function chooseCoding(acceptEncoding: string | null): Coding {
  const accepted = (acceptEncoding ?? "").toLowerCase().split(",");
  const isAccepted = (coding: string) =>
    accepted.some((entry) => {
      const [name, ...parameters] = entry.split(";").map((part) => part.trim());
      return name === coding && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
    });
  return CODINGS.find(isAccepted) ?? "identity";
}

export function encodeAssets(assets: readonly Asset[]): string {
  return JSON.stringify(
    assets.map((asset) => ({
      ...asset,
      bodies: Object.fromEntries(CODINGS.map((coding) => [coding, asset.bodies[coding].toBase64()])),
    })),
  );
}

export function decodeAssets(archive: string): Asset[] {
  const assets = JSON.parse(archive) as (Omit<Asset, "bodies"> & { bodies: Record<Coding, string> })[];
  return assets.map((asset) => ({
    ...asset,
    bodies: Object.fromEntries(
      CODINGS.map((coding) => [coding, Uint8Array.fromBase64(asset.bodies[coding])]),
    ) as Asset["bodies"],
  }));
}
