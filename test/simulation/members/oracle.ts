/**
 * What members of both protocols in one group may see, whatever happens. It knows only what members were told and did, and the
 * lines of the log.
 *
 *   - A partition that a member is told to have nobody else has: others have said that they gave it up, were removed, or were silent for
 *     longer than a member may be. Where a leader assigns (a classic group), others may still have it from an earlier generation.
 *   - Who has lost a partition commits nothing for it any more.
 *   - The epoch of a member never goes back, also over a crash of the server, which removes nobody.
 *   - Nobody is removed before its session is over. Whoever was replaced or has left is not let in again.
 */

import { OffsetOracle } from "../offset-oracle.ts";
import type { Client } from "./client.ts";
import { REBALANCE_MS, SESSION_MS } from "./world.ts";

/** Who assigned. */
export type Assigner = "server" | "leader";

export class MemberOracle {
  readonly broken: string[] = [];
  readonly offsets = new OffsetOracle(this.broken);
  readonly #clients: readonly Client[];
  /** "group/place" -> who was told last that it has it. */
  readonly #holders = new Map<string, Client>();

  constructor(clients: readonly Client[]) {
    this.#clients = clients;
  }

  /** A member was told to have these places. */
  told(client: Client, places: Iterable<string>, by: Assigner, nowMs: number): void {
    const isLate = mayBeOut(client, nowMs);
    for (const place of places) {
      const holder = this.#holders.get(`${client.group}/${place}`);
      // It may be no member any more, and then it can commit nothing.
      if (isLate && holder !== undefined && !mayBeOut(holder, nowMs)) continue;
      for (const other of this.#clients) {
        if (other === client || other.group !== client.group || !other.owned.has(place)) continue;
        if (!isLate && !mayBeOut(other, nowMs) && !(by === "leader" && other.epoch < client.epoch))
          this.broken.push(
            `${client.group}/${place} is ${other.name}'s, and ${client.name} is told to have it`,
          );
      }
      this.#holders.set(`${client.group}/${place}`, client);
    }
  }

  /** It does not use the place any more, and commits nothing for it. */
  gaveUp(client: Client, place: string): void {
    const key = `${client.group}/${place}`;
    if (this.#holders.get(key) === client) this.#holders.delete(key);
  }

  /** A commit was taken. */
  taken(client: Client, place: string): void {
    const holder = this.#holders.get(`${client.group}/${place}`);
    if (holder !== client)
      this.broken.push(
        `${client.group}/${place} takes a commit of ${client.name}, ${holder?.name} was told to have it`,
      );
  }

  /** A response tells an epoch. `isNew`: a membership begins with it. */
  epoch(client: Client, epoch: number, isNew: boolean): void {
    if (!isNew && epoch < client.assignedEpoch)
      this.broken.push(`${client.name} is told epoch ${epoch} after ${client.assignedEpoch}`);
  }

  /** A request to go on was answered well. */
  wentOn(client: Client, serial: number): void {
    if (client.replacedSerial < serial && client.replacedSerial > client.joinedSerial)
      this.broken.push(`${client.name} goes on, it was replaced`);
  }

  /** The client asked for the place of those with its instance id; `isSure`: it has it. */
  replaces(client: Client, serial: number, isSure: boolean): void {
    for (const other of this.#clients) {
      const isSame = other.group === client.group && other.instanceId === client.instanceId;
      if (other === client || client.instanceId === null || !isSame) continue;
      other.outSerial = Math.max(other.outSerial, serial);
      if (isSure) other.replacedSerial = Math.max(other.replacedSerial, serial);
    }
  }

  /** The log says that the server has removed a member. */
  removed(group: string, memberId: string, deadline: string, serial: number, nowMs: number): void {
    const client = this.#clients.find((one) => one.group === group && one.memberId === memberId);
    if (client === undefined) return;
    client.outSerial = serial;
    if (deadline === "session" && nowMs - client.processedAtMs < SESSION_MS)
      this.broken.push(`${client.name} is removed ${nowMs - client.processedAtMs} ms after it was heard of`);
  }
}

/** Whether the server may have removed the member for all that it knows. */
export function mayBeOut({ outSerial, acceptedSerial, acceptedAtMs }: Client, nowMs: number): boolean {
  return outSerial > acceptedSerial || nowMs - acceptedAtMs >= Math.min(SESSION_MS, REBALANCE_MS);
}
