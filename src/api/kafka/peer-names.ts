/** What the client of one connection calls itself, kept for people who look at connections. Empty: it has not said. */

/** Real names are far below. */
const NAME_LENGTH_MAX = 100;

export class PeerNames {
  /** As its first request that had one. */
  clientId = "";
  /** Its library and the version of that, as ApiVersions tells them. */
  software = "";

  setClientId(name: string): void {
    if (this.clientId === "" && name !== "") this.clientId = cut(name);
  }

  setSoftware(name: string, version: string): void {
    this.software = cut(`${name} ${version}`);
  }
}

/** A string of its own: a part of a long one would keep the whole of it. */
function cut(name: string): string {
  return name.length <= NAME_LENGTH_MAX ? name : Buffer.from(name.slice(0, NAME_LENGTH_MAX)).toString();
}
