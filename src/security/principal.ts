/**
 * Who is at the other end of a connection: what authentication finds out, and what permissions are given to.
 *
 *     socket -> Connection.principal -> session -> Exchange.principal -> handler
 *
 * Nobody is asked to prove anything yet: every peer is `ANONYMOUS`, and everything is allowed. The text is Kafka's ("User:alice"),
 * so that the names in its tools and lists of permissions mean the same here.
 */

export class Principal {
  /** "User", as long as there is no other kind. */
  readonly kind: string;
  readonly name: string;

  constructor(kind: string, name: string) {
    this.kind = kind;
    this.name = name;
  }

  toString(): string {
    return `${this.kind}:${this.name}`;
  }
}

/** Whoever has not said who they are, under the name that Kafka gives them. */
export const ANONYMOUS: Principal = new Principal("User", "ANONYMOUS");
